//! The comment on the pull request, where `--github-comment` asks for one. What goes wrong is a line
//! on stderr and nothing more: the verdict and the exit code stand.

use super::output;
use crate::base::text::visible_line;
use crate::command::Project;
use crate::command::comment::{CommentError, Posted, Target, post};
use crate::report::Report;
use crate::report::comment::{Comment, Mode};

/// Posts the comment, and says what became of it.
pub fn write(project: &Project, report: &Report<'_>) {
    let settings = &project.settings;
    let mode = match settings.comment.as_str() {
        _ if !settings.github_comment => return,
        "never" => return,
        "on-failure" => Mode::OnFailure,
        _ => Mode::Auto,
    };
    let comment = Comment::of(report, &settings.comment_id, mode);
    match send(project, &comment) {
        Ok(Posted::Nothing) => {}
        Ok(Posted::Created) => output::say("commented on the pull request"),
        Ok(Posted::Updated) => output::say("changed the comment on the pull request"),
        Err(error) => {
            let why = visible_line(&error.to_string());
            output::say(&format!("warning: no comment on the pull request: {why}"));
        }
    }
}

fn send(project: &Project, comment: &Comment) -> Result<Posted, CommentError> {
    let target = Target::of(project, project.settings.pr.map(u64::from))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| CommentError::Unreachable(error.to_string()))?;
    runtime.block_on(post(&target, comment, tokio::time::sleep))
}
