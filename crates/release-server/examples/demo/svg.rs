//! The share of each version over time, as a picture.

use crate::record::{Record, VERSIONS};
use std::fmt::Write as _;

const WIDTH: f64 = 900.0;
const TOP: f64 = 56.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 60.0;
const SLICES: u32 = 120;

/// Told apart by people who do not see all colours (Okabe and Ito), and in print.
const COLOUR: [&str; 3] = ["#56b4e9", "#e69f00", "#8e4f7f"];

pub(crate) fn draw(record: &Record) -> String {
    let plot = WIDTH - LEFT - 30.0;
    let seconds = record.end().as_secs_f64().max(f64::EPSILON);
    let height = TOP + HEIGHT + 50.0 + 20.0 * record.events.iter().map(|_| 1.0).sum::<f64>();
    let x = |at: f64| LEFT + at / seconds * plot;
    let y = |share: f64| TOP + (1.0 - share) * HEIGHT;

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#222\">\n\
         <title>Share of each version over time</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"26\" font-size=\"17\" font-weight=\"600\">Which version answered the users' requests</text>\n"
    );
    let shares = record.shares(SLICES);
    let width = plot / f64::from(SLICES);
    for (number, share) in (0..SLICES).zip(&shares) {
        let mut bottom = 0.0;
        for (part, colour) in share.iter().flatten().zip(COLOUR) {
            let (left, top, tall) = (LEFT + f64::from(number) * width, y(bottom + part), part * HEIGHT);
            if tall > 0.0 {
                // A little wider than its slice, so that no seam shows.
                let wide = width + 0.4;
                let _ = writeln!(
                    svg,
                    "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"{tall:.1}\" fill=\"{colour}\"/>"
                );
            }
            bottom += part;
        }
    }
    for percent in [0, 20, 40, 60, 80, 100] {
        let at = y(f64::from(percent) / 100.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{at}\" y2=\"{at}\" stroke=\"#000\" stroke-opacity=\"0.12\"/>",
            LEFT + plot
        );
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{percent} %</text>", LEFT - 8.0, at + 4.0);
    }
    let mut second = 0.0;
    while second <= seconds {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{second:.0} s</text>",
            x(second),
            TOP + HEIGHT + 20.0
        );
        second += 2.0;
    }
    for ((number, label), colour) in (0..3).zip(VERSIONS).zip(COLOUR) {
        let left = LEFT + plot - 180.0 + 65.0 * f64::from(number);
        let _ = writeln!(
            svg,
            "<rect x=\"{left}\" y=\"14\" width=\"14\" height=\"14\" fill=\"{colour}\"/><text x=\"{}\" y=\"26\">{label}</text>",
            left + 20.0
        );
    }
    for (number, event) in (1_u32..).zip(&record.events) {
        let (at, row) = (x(event.at.as_secs_f64()), TOP + HEIGHT + 50.0 + 20.0 * f64::from(number - 1));
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{}\" y2=\"{}\" stroke=\"#222\" stroke-dasharray=\"4 3\"/>",
            TOP - 4.0,
            TOP + HEIGHT
        );
        let _ = writeln!(
            svg,
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\" font-size=\"12\" font-weight=\"600\">{}</text>",
            TOP - 8.0,
            number
        );
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{row}\">{}  at {:.1} s: {}</text>",
            number,
            event.at.as_secs_f64(),
            escaped(&event.what)
        );
    }
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_holds_what_the_chart_does() {
        let svg = draw(&Record::example());
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        for event in &Record::example().events {
            assert!(svg.contains(&escaped(&event.what)), "{}", event.what);
        }
        assert!(COLOUR.iter().all(|colour| svg.matches(colour).count() > 1));
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }

    #[test]
    fn nothing_to_show_is_no_mistake() {
        assert!(draw(&Record::default()).ends_with("</svg>\n"));
    }
}
