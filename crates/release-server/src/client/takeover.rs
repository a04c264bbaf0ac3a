//! A cancel or an end: asked for once, watched, and waited for.

use super::arguments::{OneRelease, OutputFormat};
use super::commands::{on_release, printed, read};
use super::connection::{Answer, Server};
use super::document::{PhaseName, ReleaseDocument};
use super::failure::{Exit, Failure};
use super::progress::Progress;
use super::release::find;
use super::show;
use release_core::{Action, ReleaseKey};
use release_http::Operation;
use std::pin::pin;
use std::time::Duration;

/// How often people are told how far it is.
const GLANCE: Duration = Duration::from_millis(100);

pub(super) fn query(action: Action) -> String {
    format!("?action={action}")
}

pub(super) async fn run(arguments: &OneRelease, action: Action) -> Result<String, Failure> {
    let server = Server::new(&arguments.connection)?;
    let key = find(&server, arguments).await?;
    let answered = match watched(&server, &key, action).await {
        // It may go on, and it may be done.
        Ok(answer) if answer.status.is_server_error() => Err(Failure::answered(&answer)),
        Ok(answer) => on_release(&key, answer),
        Err(failure) => Err(failure),
    };
    match answered {
        Ok(_) => Ok(done(&server, &key, action, arguments.output.format).await),
        Err(failure) => {
            // Whoever repeats the command to wait again comes too late when it is done meanwhile, and has what they wanted.
            let table = if failure.exit == Exit::NotFound { show::closed_already } else { show::closed };
            let decided = unless_interrupted(unless_decided(&server, &key, action, failure.clone())).await;
            printed(arguments.output.format, &decided.unwrap_or(Err(failure))?, table)
        }
    }
}

/// What there is to print of a takeover that is done, which it is whatever becomes of the question how. A script finds its
/// format on standard output or nothing at all.
async fn done(server: &Server, key: &ReleaseKey, action: Action, format: OutputFormat) -> String {
    if format == OutputFormat::Id {
        return format!("{}\n", key.id);
    }
    let answer = unless_interrupted(get(server, key)).await;
    let answer = answer.unwrap_or_else(|| Err(Failure::new(Exit::Failed, "interrupted")));
    answer.and_then(|answer| printed(format, &answer, show::closed)).unwrap_or_else(|failure| {
        let done = format!("{key}: the {action} is done\n");
        if format == OutputFormat::Table {
            return done;
        }
        eprint!("{done}There is no document of it to print:\n{failure}");
        String::new()
    })
}

/// What is answered, or nothing when Ctrl-C is pressed (again): the signal does not end this program by itself any longer.
async fn unless_interrupted<T>(answer: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        answer = answer => Some(answer),
        _ = tokio::signal::ctrl_c() => None,
    }
}

async fn get(server: &Server, key: &ReleaseKey) -> Result<Answer, Failure> {
    on_release(key, server.ask(Operation::Get, key, "", "").await?)
}

/// Asks, and shows how far it is until the answer is there.
async fn watched(server: &Server, key: &ReleaseKey, action: Action) -> Result<Answer, Failure> {
    let progress = Progress::new();
    let query = query(action);
    let mut asked = pin!(server.ask(Operation::Delete, key, &query, ""));
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            answer = &mut asked => return answer,
            _ = &mut interrupted => {
                return Err(Failure::new(Exit::Running, format!("interrupted: the server may go on with the {action}")));
            }
            () = glance(server, key, &progress) => {}
        }
    }
}

/// Has a look at the release, if anybody sees it. What goes wrong here is of no interest: the answer will tell.
async fn glance(server: &Server, key: &ReleaseKey, progress: &Progress) {
    tokio::time::sleep(GLANCE).await;
    if progress.is_visible()
        && let Ok(answer) = get(server, key).await
        && let Ok(release) = read(&answer)
    {
        progress.show(&release);
    }
}

/// What a failure means depends on the release: closed as it should be, or on the way, or neither.
async fn unless_decided(
    server: &Server,
    key: &ReleaseKey,
    action: Action,
    failure: Failure,
) -> Result<Answer, Failure> {
    let Ok(answer) = get(server, key).await else { return Err(failure) };
    let Ok(ReleaseDocument { status, .. }) = read(&answer) else { return Err(failure) };
    match (status.phase, status.action) {
        (PhaseName::Closed, Some(done)) if done == action => Ok(answer),
        (PhaseName::Closing, Some(decided)) if decided == action => {
            let release: ReleaseDocument = read(&answer)?;
            Err(Failure::new(Exit::Running, show::still_closing(&release))
                .next("repeat the command to wait again; `reopen` takes the decision back while nothing is retired"))
        }
        _ => Err(failure),
    }
}
