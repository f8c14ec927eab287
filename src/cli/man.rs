//! Manual pages, made from the command line's own definition: options as clap knows them, and
//! the texts at the end of each help as sections of their own.

use super::Cli;
use clap::error::ErrorKind;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::Path;

/// One command's page, the whole's without a name; or, where `what` is a folder, all pages as
/// files in it. A name that is no command's counts as a folder if it has a `/` or is there.
pub(super) fn man(what: Option<&OsStr>) -> Result<String, clap::Error> {
    let whole = definition();
    let Some(what) = what else {
        return Ok(page(whole, None)?);
    };
    let name = what.to_str();
    if let Some(name) = name.filter(|name| whole.find_subcommand(name).is_some()) {
        return Ok(page(whole, Some(name))?);
    }
    let folder = Path::new(what);
    if folder.is_dir() || folder.components().count() > 1 || ends_with_separator(what) {
        return Ok(all_pages(&whole, folder)?);
    }
    let message = format!(
        "there is no command {what:?}; for a folder of all pages, write ./{}\n",
        folder.display()
    );
    Err(Cli::command().error(ErrorKind::InvalidValue, message))
}

fn ends_with_separator(path: &OsStr) -> bool {
    path.as_encoded_bytes().ends_with(b"/")
}

/// The command line as its pages show it: every option with its words, and no `help` command,
/// which has no page.
fn definition() -> Command {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    shown(command)
}

/// Options that the short help leaves out have a description here all the same.
fn shown(command: Command) -> Command {
    command
        .mut_args(|arg| arg.hide_short_help(false))
        .mut_subcommands(shown)
}

fn all_pages(whole: &Command, folder: &Path) -> io::Result<String> {
    let named = |error: io::Error| io::Error::other(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(named)?;
    let names = whole
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .map(Command::get_name);
    let mut count = 0;
    for name in std::iter::once(None).chain(names.map(Some)) {
        let file = folder.join(format!("{}.1", page_name(name)));
        std::fs::write(file, page(whole.clone(), name)?).map_err(named)?;
        count += 1;
    }
    Ok(format!("{count} pages in {}\n", folder.display()))
}

/// `tidelock-run`
fn page_name(command: Option<&str>) -> String {
    command.map_or_else(
        || "tidelock".to_owned(),
        |command| format!("tidelock-{command}"),
    )
}

fn page(whole: Command, name: Option<&str>) -> io::Result<String> {
    let version = whole.get_version().unwrap_or_default().to_owned();
    let mut command = match name {
        Some(name) => whole.find_subcommand(name).cloned().unwrap_or(whole),
        None => whole,
    };
    // All options in one line are no help; they follow one by one.
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let words = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let man = Man::new(command.display_name(page_name(name)).override_usage(usage))
        .title(page_name(name).to_uppercase())
        .source(format!("Tidelock {version}"))
        .manual("Tidelock");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    paragraphs(&words, &mut text)?;
    if name.is_none() {
        man.render_subcommands_section(&mut text)?;
    }
    man.render_options_section(&mut text)?;
    sections(&words, &mut text)?;
    if name.is_some() {
        text.write_all(b".SH \"SEE ALSO\"\n.BR tidelock (1)\n")?;
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Paragraphs of a help's end that begin a section, and that section's title.
const SECTIONS: &[(&str, &str)] = &[
    ("Examples:", "EXAMPLES"),
    ("Settings:", "SETTINGS"),
    ("Exit codes:", "EXIT STATUS"),
];

fn section_of(paragraph: &str) -> Option<(&'static str, &str)> {
    SECTIONS.iter().find_map(|(begin, title)| {
        let rest = paragraph.strip_prefix(begin)?;
        Some((*title, rest.trim_start_matches([' ', '\n'])))
    })
}

/// The rest of the description.
fn paragraphs(words: &str, text: &mut Vec<u8>) -> io::Result<()> {
    for paragraph in words.split("\n\n").filter(|it| section_of(it).is_none()) {
        write!(text, ".PP\n{}\n", escaped(paragraph))?;
    }
    Ok(())
}

fn sections(words: &str, text: &mut Vec<u8>) -> io::Result<()> {
    for (title, rest) in words.split("\n\n").filter_map(section_of) {
        let rest = escaped(rest);
        match title {
            "EXAMPLES" => {
                let rest = rest.replace("\n  ", "\n");
                write!(text, ".SH EXAMPLES\n.nf\n{rest}\n.fi\n")?;
            }
            _ => write!(text, ".SH \"{title}\"\n{}\n", capitalised(&rest))?,
        }
    }
    Ok(())
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// As roff reads it: no line is a request, hyphens can be copied, backslashes stay.
fn escaped(text: &str) -> String {
    let line = |line: &str| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        match line.starts_with(['.', '\'']) {
            true => format!("\\&{line}"),
            false => line,
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_describes_every_option_and_is_no_wall_of_them() {
        let run = man(Some(OsStr::new("run"))).expect("a page");
        assert!(run.contains(r"Region of the backup target"), "{run}");
        assert!(run.contains("[OPTIONS]"), "{run}");
        assert!(run.contains(".SH EXAMPLES\n.nf\ntidelock run"), "{run}");
        let whole = man(None).expect("a page");
        assert!(whole.contains(".SH \"EXIT STATUS\"\n0 done"), "{whole}");
        assert!(!whole.contains("tidelock\\-help"), "{whole}");
    }

    #[test]
    fn a_folder_gets_a_page_for_every_command_that_the_help_shows() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("share/man1");
        man(Some(below.as_os_str())).expect("pages");
        for command in super::super::print::command().get_subcommands() {
            let file = below.join(format!("tidelock-{}.1", command.get_name()));
            let expected = !command.is_hide_set() && command.get_name() != "help";
            assert_eq!(file.exists(), expected, "{}", command.get_name());
        }
        assert!(below.join("tidelock.1").exists());
    }

    #[test]
    fn a_mistyped_command_makes_no_folder() {
        let error = man(Some(OsStr::new("restor"))).expect_err("no such command");
        assert!(error.to_string().contains("./restor"), "{error}");
        assert!(!Path::new("restor").exists());
    }

    #[test]
    fn no_word_is_taken_for_a_request() {
        assert_eq!(
            escaped(".tidelockignore a-b\\c"),
            "\\&.tidelockignore a\\-b\\ec"
        );
    }
}
