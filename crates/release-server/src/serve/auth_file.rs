//! Files with the credentials that let callers in.
//!
//! Their format is in the documentation of [`serve`](super).

use release_core::MeshId;
use release_http::{AkSk, Caller, Tokens};
use std::collections::HashMap;
use std::fmt::{self, Display};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The fewest characters of a token or of a secret key: what is shorter can be guessed.
const SECRET_CHARS: usize = 16;

/// Why a file was not taken. Shows nothing of what is in it.
#[derive(Debug, thiserror::Error)]
#[error("{}{}: {problem}", path.display(), Line(*line))]
pub(super) struct FileError {
    path: PathBuf,
    /// Counted from 1.
    line: Option<usize>,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("it can't be read: {0}")]
    Read(io::Error),
    #[error("it is not UTF-8 text")]
    NotText,
    #[error("it has no line with credentials, so nobody could get in")]
    Empty,
    #[error("the line must be {expected}, separated by blanks; it has {found} fields")]
    Fields { expected: &'static str, found: usize },
    #[error("the {what} must be printable ASCII")]
    NotPrintable { what: &'static str },
    #[error("the {what} must not have a comma")]
    Comma { what: &'static str },
    #[error("the {what} is shorter than {SECRET_CHARS} characters: it could be guessed")]
    Short { what: &'static str },
    #[error("the {what} is the same as in line {before}")]
    Repeated { what: &'static str, before: usize },
    #[error(
        "the last field must be * for every mesh, or mesh ids separated by commas (1 to 64 ASCII letters, digits, '-', \
         '_' or '.' each)"
    )]
    Meshes,
}

struct Line(Option<usize>);

impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// Reads a file of tokens.
pub(super) fn tokens(path: &Path) -> Result<Tokens, FileError> {
    let text = read(path)?;
    let callers = parse(path, &text, "TOKEN MESHES", ["token"])?;
    Ok(Tokens::new(callers.into_iter().map(|([token], caller)| (token, caller))))
}

/// Reads a file of access keys. The same signature may read again, because who polls signs the same request more than once
/// a second.
pub(super) fn access_keys(path: &Path) -> Result<AkSk, FileError> {
    let text = read(path)?;
    let callers = parse(path, &text, "ACCESS-KEY SECRET-KEY MESHES", ["access key", "secret key"])?;
    let none = AkSk::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()));
    let add = |aksk: AkSk, ([access, secret], caller): ([&str; 2], Caller)| aksk.key(access, secret, caller);
    Ok(callers.into_iter().fold(none.repeatable_reads(), add))
}

fn read(path: &Path) -> Result<String, FileError> {
    let failed = |problem| FileError { path: path.into(), line: None, problem };
    let bytes = fs::read(path).map_err(|error| failed(Problem::Read(error)))?;
    warn_if_others_can_read(path);
    String::from_utf8(bytes).map_err(|_| failed(Problem::NotText))
}

fn warn_if_others_can_read(path: &Path) {
    let mode = fs::metadata(path).map(|metadata| metadata.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o004 != 0) {
        tracing::warn!(path = %path.display(), "every user of this machine can read this file of secrets: chmod o-r it");
    }
}

/// The callers of a file: its fields without the last one, which says what meshes the caller may touch. The first field
/// tells callers apart; the last one of `names` is secret.
fn parse<'a, const N: usize>(
    path: &Path,
    text: &'a str,
    expected: &'static str,
    names: [&'static str; N],
) -> Result<Vec<([&'a str; N], Caller)>, FileError> {
    let mut callers = Vec::new();
    let mut seen = HashMap::new();
    let lines = text.lines().zip(1..).map(|(line, number)| (line.trim(), number));
    for (line, number) in lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#')) {
        let caller = parse_line(line, expected, names).and_then(|(fields, caller)| {
            let repeated = fields.first().and_then(|first| seen.insert(*first, number));
            let what = names.first().copied().unwrap_or_default();
            repeated.map_or(Ok((fields, caller)), |before| Err(Problem::Repeated { what, before }))
        });
        callers.push(caller.map_err(|problem| FileError { path: path.into(), line: Some(number), problem })?);
    }
    if callers.is_empty() {
        return Err(FileError { path: path.into(), line: None, problem: Problem::Empty });
    }
    Ok(callers)
}

fn parse_line<'a, const N: usize>(
    line: &'a str,
    expected: &'static str,
    names: [&'static str; N],
) -> Result<([&'a str; N], Caller), Problem> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let wrong = || Problem::Fields { expected, found: fields.len() };
    let (meshes, fields) = fields.split_last().ok_or_else(wrong)?;
    let fields: [&str; N] = fields.try_into().map_err(|_| wrong())?;
    for (what, field) in names.into_iter().zip(fields) {
        if !field.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Problem::NotPrintable { what });
        }
    }
    // Of a signature's header, where the access key stands between commas.
    if let ([what, _, ..], [access, ..]) = (&names[..], &fields[..])
        && access.contains(',')
    {
        return Err(Problem::Comma { what });
    }
    if let (Some(what), Some(secret)) = (names.last(), fields.last())
        && secret.len() < SECRET_CHARS
    {
        return Err(Problem::Short { what });
    }
    Ok((fields, caller(meshes)?))
}

fn caller(meshes: &str) -> Result<Caller, Problem> {
    if meshes == "*" {
        return Ok(Caller::of_every_mesh());
    }
    // The parser's own error repeats the value, which is a secret when fields are in the wrong order.
    let meshes: Result<Vec<MeshId>, _> = meshes.split(',').map(str::parse).collect();
    meshes.map(Caller::of_meshes).map_err(|_| Problem::Meshes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cret-s3cret-s3cret";

    fn keys(text: &str) -> Result<Vec<([&str; 2], Caller)>, String> {
        let path = Path::new("keys");
        parse(path, text, "ACCESS-KEY SECRET-KEY MESHES", ["access key", "secret key"])
            .map_err(|error| error.to_string())
    }

    #[test]
    fn callers_are_read_with_their_meshes() {
        // As short as it may be.
        assert_eq!(keys("a 0123456789abcdef *").unwrap().len(), 1);
        let text = format!("# ours\r\n\n  a {SECRET}\t*\r\nb {SECRET} mesh-1,mesh-2\n");
        let callers = keys(&text).unwrap();
        let two = Caller::of_meshes(["mesh-1".parse().unwrap(), "mesh-2".parse().unwrap()]);
        assert_eq!(callers, [(["a", SECRET], Caller::of_every_mesh()), (["b", SECRET], two)]);
    }

    #[test]
    fn what_is_wrong_is_said_with_the_line_and_without_its_text() {
        let wrong = [
            format!("{SECRET} *"),
            format!("a {SECRET}"),
            format!("a {SECRET} mesh-1, mesh-2"),
            format!("a {SECRET} mesh-1,,mesh-2"),
            format!("a * {SECRET}"),
            format!("a {SECRET} {SECRET}/{SECRET}"),
            "a s3cret-s3cret *".into(),
            format!("a,b {SECRET} *"),
            format!("a {SECRET}\u{e9} *"),
            format!("first {SECRET} *"),
        ];
        let errors: Vec<String> = wrong
            .iter()
            .map(|line| {
                let error = keys(&format!("first {SECRET} *\n\n{line}\n")).unwrap_err();
                assert!(error.starts_with("keys:3: ") && !error.contains("s3cret"), "{error}");
                error
            })
            .collect();
        assert_eq!(keys("# nothing\n").unwrap_err(), "keys: it has no line with credentials, so nobody could get in");
        insta::assert_snapshot!(errors.join("\n"));
    }
}
