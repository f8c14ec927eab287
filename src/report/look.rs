//! What standard output looks like to whoever reads it.

/// A terminal of some size, or anything else, which has none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Look {
    /// Columns of the terminal; none where it is no terminal, and then nothing is cut or broken.
    pub columns: Option<usize>,
    /// Its lines.
    pub lines: Option<usize>,
    /// Colours are wanted there. They only repeat what the words say.
    pub colour: bool,
}

/// Terminals that say less than this (or nothing, as some consoles do) are taken to be this wide.
const NARROWEST: usize = 20;

impl Look {
    /// Standard output's.
    pub fn of_stdout(colour: bool) -> Self {
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
        let given = |number: u16, default: usize| match number {
            0 => default,
            number => number.into(),
        };
        Self {
            columns: size.map(|size| given(size.ws_col, 80).max(NARROWEST)),
            lines: size.map(|size| given(size.ws_row, 24)),
            colour,
        }
    }
}

/// What a cell says, for those who see colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Tone {
    #[default]
    Plain,
    /// All is well, or something came.
    Good,
    /// To be looked at.
    Notable,
    /// Something is wrong, or went.
    Bad,
    /// A title.
    Title,
}

impl Tone {
    /// The text, painted where colours are wanted.
    pub(super) fn paint(self, text: &str, colour: bool) -> String {
        let code = match self {
            _ if !colour || text.is_empty() => return text.to_owned(),
            Self::Plain => return text.to_owned(),
            Self::Good => "32",
            Self::Notable => "33",
            Self::Bad => "31",
            Self::Title => "1",
        };
        super::text::paint(text, code, true)
    }
}
