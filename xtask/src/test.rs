//! `cargo xtask test`: runs the stages one after the other, stops at the first that fails, and shows what each took.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use xshell::Shell;

use crate::stages::{STAGES, Stage};
use crate::table::table;

#[derive(Args)]
pub(crate) struct Options {
    /// Run these stages only
    #[arg(long, value_delimiter = ',', value_name = "STAGE")]
    only: Vec<String>,
    /// Leave these stages out
    #[arg(long, value_delimiter = ',', value_name = "STAGE")]
    skip: Vec<String>,
    /// Show the stages and stop
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(sh: &Shell, options: &Options) -> Result<()> {
    let stages = select(&options.only, &options.skip)?;
    if options.list {
        for stage in stages {
            println!("{:<9} {}", stage.name, stage.what);
        }
        return Ok(());
    }
    let mut times = Vec::new();
    for (number, stage) in stages.iter().enumerate() {
        println!("\n==> {} ({}/{}): {}", stage.name, number + 1, stages.len(), stage.what);
        let start = Instant::now();
        let result = (stage.run)(sh);
        times.push((stage.name, start.elapsed(), result.is_ok()));
        if let Err(error) = result {
            println!("\n{}", report(&times));
            bail!("stage `{0}` failed: {error:#}\nRun it alone with: cargo xtask test --only {0}", stage.name);
        }
    }
    println!("\n{}", report(&times));
    Ok(())
}

fn select(only: &[String], skip: &[String]) -> Result<Vec<&'static Stage>> {
    if let Some(unknown) = only.iter().chain(skip).find(|name| STAGES.iter().all(|s| s.name != **name)) {
        let names: Vec<_> = STAGES.iter().map(|s| s.name).collect();
        bail!("there is no stage `{unknown}`; the stages are {}", names.join(", "));
    }
    let named = |names: &[String], stage: &Stage| names.iter().any(|name| name == stage.name);
    Ok(STAGES.iter().filter(|s| (only.is_empty() || named(only, s)) && !named(skip, s)).collect())
}

fn report(times: &[(&str, Duration, bool)]) -> String {
    let row = |name: &str, time: Duration, result: &str| {
        [name.to_owned(), format!("{:.1} s", time.as_secs_f64()), result.to_owned()]
    };
    let mut rows = vec![["stage", "time", "result"].map(String::from)];
    rows.extend(times.iter().map(|(name, time, ok)| row(name, *time, if *ok { "ok" } else { "FAILED" })));
    rows.push(row("all", times.iter().map(|(_, time, _)| time).sum(), ""));
    table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(only: &[&str], skip: &[&str]) -> Vec<&'static str> {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        select(&owned(only), &owned(skip)).unwrap().iter().map(|s| s.name).collect()
    }

    #[test]
    fn stages_can_be_chosen_and_left_out_but_keep_their_order() {
        assert_eq!(names(&["docs", "fmt"], &[]), ["fmt", "docs"]);
        assert_eq!(names(&["docs", "fmt"], &["fmt"]), ["docs"]);
        assert_eq!(names(&[], &["fmt"]).len(), STAGES.len() - 1);
        assert_eq!(names(&[], &[]).len(), STAGES.len());
    }

    #[test]
    fn an_unknown_stage_is_refused_with_the_known_ones() {
        let error = select(&[], &["doc".into()]).err().unwrap().to_string();
        assert!(error.contains("`doc`") && error.contains("docs"), "{error}");
    }

    #[test]
    fn the_report_shows_each_stage_and_the_sum() {
        let report = report(&[("fmt", Duration::from_millis(1500), true), ("docs", Duration::from_secs(2), false)]);
        assert!(report.contains("fmt    1.5 s      ok"), "{report}");
        assert!(report.contains("docs   2.0 s  FAILED"), "{report}");
        assert!(report.contains("all    3.5 s"), "{report}");
    }
}
