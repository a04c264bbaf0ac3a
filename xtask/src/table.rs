//! Plain text tables: the first column to the left, the others to the right.

/// Lays out rows in columns; the first row is the heading.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for (number, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        out += cells.collect::<Vec<_>>().join("  ").trim_end();
        out.push('\n');
        if number == 0 {
            out += &widths.map(|width| "-".repeat(width)).join("  ");
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["stage", "time"], ["docs", "1.5 s"], ["features", "12.0 s"]].map(|r| r.map(String::from));
        let expected = "\
stage       time
--------  ------
docs       1.5 s
features  12.0 s
";
        assert_eq!(table(&rows), expected);
    }
}
