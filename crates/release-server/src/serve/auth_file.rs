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
        "the field after the secret must be * for every mesh, or mesh ids separated by commas (1 to 64 ASCII letters, digits, '-', \
         '_' or '.' each)"
    )]
    Meshes,
    #[error("the name must have 1 to 64 characters, all of them printable ASCII")]
    Name,
}

struct Line(Option<usize>);

impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// What a line of a file is made of.
struct Format<const N: usize> {
    /// In words.
    expected: &'static str,
    /// The fields before the one that says which meshes the caller may touch. The first tells callers apart; the last is
    /// secret.
    fields: [&'static str; N],
    /// Whether a line may end with the name of its caller.
    named: bool,
}

const TOKENS: Format<1> = Format { expected: "TOKEN MESHES [name=NAME]", fields: ["token"], named: true };
const KEYS: Format<2> =
    Format { expected: "ACCESS-KEY SECRET-KEY MESHES", fields: ["access key", "secret key"], named: false };

/// A line.
#[derive(Debug, PartialEq, Eq)]
struct Entry<'a, const N: usize> {
    fields: [&'a str; N],
    caller: Caller,
    name: Option<&'a str>,
}

/// Reads a file of tokens.
pub(super) fn tokens(path: &Path) -> Result<Tokens, FileError> {
    let text = read(path)?;
    let entries = parse(path, &text, &TOKENS)?;
    Ok(Tokens::new(entries.into_iter().map(|(number, Entry { fields: [token], caller, name })| {
        (token, caller.named(name.map_or_else(|| format!("token of line {number}"), str::to_owned)))
    })))
}

/// Reads a file of access keys. The same signature may read again, because who polls signs the same request more than once
/// a second.
pub(super) fn access_keys(path: &Path) -> Result<AkSk, FileError> {
    let text = read(path)?;
    let entries = parse(path, &text, &KEYS)?;
    let none = AkSk::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()));
    Ok(entries
        .into_iter()
        .fold(none.repeatable_reads(), |aksk, (_, Entry { fields: [access, secret], caller, .. })| {
            aksk.key(access, secret, caller)
        }))
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

/// The lines of a file that have a caller, with their numbers.
fn parse<'a, const N: usize>(
    path: &Path,
    text: &'a str,
    format: &Format<N>,
) -> Result<Vec<(usize, Entry<'a, N>)>, FileError> {
    let mut entries = Vec::new();
    let mut seen = HashMap::new();
    let lines = text.lines().zip(1..).map(|(line, number)| (line.trim(), number));
    for (line, number) in lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#')) {
        let entry = parse_line(line, format).and_then(|entry| {
            let repeated = entry.fields.first().and_then(|first| seen.insert(*first, number));
            let what = format.fields.first().copied().unwrap_or_default();
            repeated.map_or(Ok(entry), |before| Err(Problem::Repeated { what, before }))
        });
        let entry = entry.map_err(|problem| FileError { path: path.into(), line: Some(number), problem })?;
        entries.push((number, entry));
    }
    if entries.is_empty() {
        return Err(FileError { path: path.into(), line: None, problem: Problem::Empty });
    }
    Ok(entries)
}

fn parse_line<'a, const N: usize>(line: &'a str, format: &Format<N>) -> Result<Entry<'a, N>, Problem> {
    let mut fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let wrong = |found| Problem::Fields { expected: format.expected, found };
    let found = fields.len();
    let name = fields.pop_if(|last| format.named && last.starts_with("name="));
    let name = name.and_then(|name| name.strip_prefix("name="));
    let (meshes, fields) = fields.split_last().ok_or_else(|| wrong(found))?;
    let fields: [&str; N] = fields.try_into().map_err(|_| wrong(found))?;
    for (what, field) in format.fields.into_iter().zip(fields) {
        if !field.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Problem::NotPrintable { what });
        }
    }
    // Of a signature's header, where the access key stands between commas.
    if let ([what, _, ..], [access, ..]) = (&format.fields[..], &fields[..])
        && access.contains(',')
    {
        return Err(Problem::Comma { what });
    }
    if let (Some(what), Some(secret)) = (format.fields.last(), fields.last())
        && secret.len() < SECRET_CHARS
    {
        return Err(Problem::Short { what });
    }
    if name.is_some_and(|name| !(1..=64).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Err(Problem::Name);
    }
    Ok(Entry { fields, caller: caller(meshes)?, name })
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
        let entries = parse(Path::new("keys"), text, &KEYS).map_err(|error| error.to_string())?;
        Ok(entries.into_iter().map(|(_, entry)| (entry.fields, entry.caller)).collect())
    }

    #[test]
    fn a_token_may_have_a_name_which_is_not_taken_for_a_mesh() {
        let names = |text: &str| -> Result<Vec<(usize, Option<String>)>, String> {
            let entries = parse(Path::new("tokens"), text, &TOKENS).map_err(|error| error.to_string())?;
            Ok(entries.into_iter().map(|(number, entry)| (number, entry.name.map(str::to_owned))).collect())
        };
        let text = format!("{SECRET} * name=pipeline\n\n{SECRET}-2 mesh-1\n");
        assert_eq!(names(&text).unwrap(), [(1, Some("pipeline".into())), (3, None)]);
        for wrong in ["* name=", "* pipeline", "name=pipeline", "* name=a b", "* name=\u{e9}"] {
            let error = names(&format!("{SECRET} {wrong}")).unwrap_err();
            assert!(error.starts_with("tokens:1: ") && !error.contains("s3cret"), "{error}");
        }
        assert!(keys(&format!("a {SECRET} * name=pipeline")).is_err(), "an access key is a name");
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
