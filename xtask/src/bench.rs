//! `cargo xtask bench`: runs the benchmarks of a crate and prints one table per criterion group.
//!
//! In each group one function may be the baseline: it is named `baseline`, or its name starts with `bare`. Benches named
//! `footprint` or `load` are plain programs that print their own lines (allocations, bytes; a server under load); they run
//! last. So is `takeover`, a suite of its own because it needs a real Envoy.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::table::table;
use crate::{envoy, workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// The crate to measure, where `core` stands for `release-core`; or `takeover` for takeovers of real Envoys
    suite: String,
    /// More arguments for the benchmarks: for criterion, such as a filter or `--quick`; for `server`, the parts to run
    #[arg(last = true)]
    more: Vec<String>,
}

pub(crate) fn run(sh: &Shell, options: &Options) -> Result<()> {
    if options.suite == TAKEOVER {
        envoy::ensure(sh)?;
        cmd!(sh, "cargo bench -p release-xds --all-features --bench {TAKEOVER}").run()?;
        return Ok(());
    }
    let is_suite = |package: &workspace::Package| package.benches.iter().any(|bench| bench != TAKEOVER);
    let packages: Vec<_> = workspace::packages(sh)?.into_iter().filter(is_suite).collect();
    let package = workspace::suite(&packages, &options.suite)?;
    let (plain, timed): (Vec<_>, Vec<_>) =
        package.benches.iter().partition(|bench| ["footprint", "load"].contains(&bench.as_str()));
    let (name, more) = (&package.name, &options.more);
    let start = SystemTime::now();
    for bench in &timed {
        // Criterion's own output is long: the tables below hold what it says.
        cmd!(sh, "cargo bench -p {name} --all-features --bench {bench} -- --noplot {more...}").run()?;
    }
    let measured = measurements(&sh.current_dir().join("target/criterion"), start)?;
    ensure!(timed.is_empty() || !measured.is_empty(), "the benchmarks of {name} measured nothing");
    print!("{}", tables(&measured));
    for bench in plain {
        cmd!(sh, "cargo bench -p {name} --all-features --bench {bench} -- {more...}").run()?;
    }
    Ok(())
}

const TAKEOVER: &str = "takeover";

/// One measured function, with the parameter it was called with.
#[derive(Debug, Clone, PartialEq)]
struct Measurement {
    group: String,
    function: String,
    parameter: Option<String>,
    nanoseconds: f64,
}

impl Measurement {
    fn is_baseline(&self) -> bool {
        self.function == "baseline" || self.function.starts_with("bare")
    }
}

/// What criterion wrote below that folder since then; older files are from benchmarks that may be gone.
fn measurements(folder: &Path, since: SystemTime) -> Result<Vec<Measurement>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        let estimates = path.join("estimates.json");
        let written = estimates.metadata().and_then(|data| data.modified()).ok();
        if path.file_name().is_some_and(|name| name == "new") && written >= Some(since) {
            found.push(measurement(&read(&path.join("benchmark.json"))?, &read(&estimates)?)?);
        } else {
            found.extend(measurements(&path, since)?);
        }
    }
    found.sort_by(|a, b| {
        let by_name = (&a.group, &a.parameter).cmp(&(&b.group, &b.parameter));
        by_name.then(a.nanoseconds.total_cmp(&b.nanoseconds))
    });
    Ok(found)
}

fn read(file: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))
}

fn measurement(benchmark: &Value, estimates: &Value) -> Result<Measurement> {
    let text = |key: &str| benchmark.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
    let group = text("group_id").context("criterion's benchmark.json has no group_id")?;
    Ok(Measurement {
        function: text("function_id").unwrap_or_else(|| group.clone()),
        group,
        parameter: text("value_str"),
        nanoseconds: estimates
            .pointer("/median/point_estimate")
            .and_then(Value::as_f64)
            .context("criterion's estimates.json has no median")?,
    })
}

/// One table per group, from measurements sorted by group.
fn tables(measured: &[Measurement]) -> String {
    let mut out = String::new();
    for group in measured.chunk_by(|a, b| a.group == b.group) {
        let name = group.first().map_or("", |m| &m.group);
        let mut rows = vec![[name, "median", "ratio"].map(String::from)];
        rows.extend(group.iter().map(|m| {
            let parameter = m.parameter.as_ref().map(|p| format!("/{p}")).unwrap_or_default();
            let baseline = group.iter().find(|b| b.is_baseline() && b.parameter == m.parameter);
            let ratio = baseline.map_or("-".into(), |b| format!("{:.2}", m.nanoseconds / b.nanoseconds));
            [format!("{}{parameter}", m.function), duration(m.nanoseconds), ratio]
        }));
        out.push('\n');
        out += &table(&rows);
    }
    out
}

fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        ns if ns < 10.0 => format!("{ns:.2} ns"),
        ns if ns < 1e3 => format!("{ns:.1} ns"),
        ns if ns < 1e6 => format!("{:.2} µs", ns / 1e3),
        ns if ns < 1e9 => format!("{:.2} ms", ns / 1e6),
        ns => format!("{:.2} s", ns / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    fn m(group: &str, function: &str, parameter: Option<&str>, nanoseconds: f64) -> Measurement {
        let parameter = parameter.map(ToOwned::to_owned);
        Measurement { group: group.into(), function: function.into(), parameter, nanoseconds }
    }

    #[test]
    fn each_group_is_a_table_with_ratios_to_its_baseline() {
        let measured = [
            m("close", "statig", None, 1_500.0),
            m("decide", "bare match", None, 10.0),
            m("decide", "core", None, 12.5),
        ];
        let expected = "
close    median  ratio
------  -------  -----
statig  1.50 µs      -

decide       median  ratio
----------  -------  -----
bare match  10.0 ns   1.00
core        12.5 ns   1.25
";
        assert_eq!(tables(&measured), expected);
    }

    #[test]
    fn a_baseline_counts_for_its_own_parameter_only() {
        let measured = [
            m("scale", "baseline", Some("1"), 10.0),
            m("scale", "core", Some("1"), 20.0),
            m("scale", "core", Some("9"), 90.0),
        ];
        let text = tables(&measured);
        assert!(text.contains("core/1      20.0 ns   2.00"), "{text}");
        assert!(text.contains("core/9      90.0 ns      -"), "{text}");
    }

    #[test]
    fn durations_have_the_unit_that_suits_them() {
        assert_eq!(
            [0.55, 999.0, 1e3, 2.5e6, 3e9].map(duration),
            ["0.55 ns", "999.0 ns", "1.00 µs", "2.50 ms", "3.00 s"]
        );
    }

    #[test]
    fn only_new_results_are_read() {
        let sh = workspace::shell().unwrap();
        let folder = sh.create_temp_dir().unwrap();
        let new = folder.path().join("decide/core/new");
        let benchmark = json!({"group_id": "decide", "function_id": "core", "value_str": null});
        let estimates = json!({"median": {"point_estimate": 12.5}});
        sh.write_file(new.join("benchmark.json"), benchmark.to_string()).unwrap();
        sh.write_file(new.join("estimates.json"), estimates.to_string()).unwrap();
        let later = SystemTime::now() + Duration::from_hours(1);
        let all = measurements(folder.path(), SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(all, [m("decide", "core", None, 12.5)]);
        assert_eq!(measurements(folder.path(), later).unwrap(), []);
    }
}
