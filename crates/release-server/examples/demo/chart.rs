//! The share of each version over time, for a terminal.

use crate::record::{Record, VERSIONS};
use std::fmt::Write as _;
use std::io::{IsTerminal as _, stdout};

const COLUMNS: u32 = 72;
const ROWS: u32 = 10;

/// The versions' patterns, told apart without colours, too.
const FILL: [char; 3] = ['░', '▓', '█'];

/// The versions' colours, as a terminal names them.
const COLOUR: [u8; 3] = [34, 33, 35];

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Coloured,
}

impl Style {
    /// Colours on a terminal, unless its user wants none (<https://no-color.org>).
    pub(crate) fn of_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if stdout().is_terminal() && !unwanted { Self::Coloured } else { Self::Plain }
    }

    fn paint(self, version: usize, text: &str) -> String {
        match (self, COLOUR.get(version)) {
            (Self::Coloured, Some(colour)) => format!("\x1b[{colour}m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }
}

/// The chart: stacked shares, the moments at which something was done, and what that was.
pub(crate) fn draw(record: &Record, style: Style) -> String {
    let shares = record.shares(COLUMNS);
    let mut text = String::new();
    for row in (0..ROWS).rev() {
        let _ = write!(text, "   {:>5} ┤", axis(row));
        for share in &shares {
            text += &cell(share.as_ref(), row, style);
        }
        text.push('\n');
    }
    let _ = writeln!(text, "     0 % ┼{}", marks(record));
    let legend: Vec<_> = VERSIONS
        .iter()
        .zip(FILL)
        .enumerate()
        .map(|(version, (label, fill))| format!("{} {label}", style.paint(version, &fill.to_string().repeat(2))))
        .collect();
    let _ =
        writeln!(text, "          share of the requests: {}; {:.1} s\n", legend.join("  "), record.end().as_secs_f64());
    for (number, event) in record.events.iter().enumerate() {
        let _ = writeln!(text, "   {} {:>5.1} s  {}", number + 1, event.at.as_secs_f64(), event.what);
    }
    text
}

fn axis(row: u32) -> &'static str {
    match row {
        9 => "100 %",
        4 => "50 %",
        _ => "",
    }
}

/// The version whose share covers the middle of that row.
fn cell(share: Option<&[f64; 3]>, row: u32, style: Style) -> String {
    let Some(share) = share else { return " ".into() };
    let height = (f64::from(row) + 0.5) / f64::from(ROWS);
    let mut sum = 0.0;
    for (version, (part, fill)) in share.iter().zip(FILL).enumerate() {
        sum += part;
        if height <= sum {
            return style.paint(version, fill.encode_utf8(&mut [0; 4]));
        }
    }
    " ".into()
}

/// The axis, with a number where something was done.
fn marks(record: &Record) -> String {
    let mut axis = vec!['─'; COLUMNS as usize];
    for (event, number) in record.events.iter().zip('1'..='9') {
        let place = event.at.as_secs_f64() / record.end().as_secs_f64().max(f64::EPSILON) * f64::from(COLUMNS);
        // Numbers that fall on the same place stand side by side.
        let free = (0..COLUMNS).zip(&mut axis).skip_while(|(column, _)| f64::from(*column) < place.floor());
        if let Some((_, cell)) = free.into_iter().find(|(_, cell)| **cell == '─') {
            *cell = number;
        }
    }
    axis.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chart_of_an_end_and_a_cancel() {
        insta::assert_snapshot!(draw(&Record::example(), Style::Plain));
    }

    #[test]
    fn colours_add_nothing_but_colours() {
        let coloured = draw(&Record::example(), Style::Coloured);
        let plain = COLOUR
            .iter()
            .fold(coloured.replace("\x1b[0m", ""), |text, colour| text.replace(&format!("\x1b[{colour}m"), ""));
        assert_eq!(plain, draw(&Record::example(), Style::Plain));
        assert_ne!(plain, coloured);
    }

    #[test]
    fn nothing_to_show_is_no_mistake() {
        assert!(draw(&Record::default(), Style::Plain).contains("0 %"));
    }
}
