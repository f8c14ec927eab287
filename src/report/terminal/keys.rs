//! Keys, one by one, from a terminal in raw mode.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How often it is looked whether anybody still waits, in milliseconds.
const PATIENCE: i64 = 100;
/// The rest of an escape sequence follows within so many milliseconds.
const SEQUENCE: i64 = 50;

/// A key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::report) enum Key {
    Letter(char),
    Backspace,
    /// Ctrl-U: the line so far is taken back.
    Clear,
    Tab,
    Enter,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Escape,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D.
    End,
    Other,
}

/// Standard input without echo and without lines, until it is dropped.
pub(in crate::report) struct Keys {
    before: Termios,
    waiting: VecDeque<u8>,
    gone: Arc<AtomicBool>,
}

impl Keys {
    /// Takes the terminal; `gone` tells when nobody waits for a key any more.
    ///
    /// # Errors
    /// Where standard input is no terminal.
    pub(in crate::report) fn open(gone: Arc<AtomicBool>) -> io::Result<Self> {
        let stdin = io::stdin();
        let before = tcgetattr(&stdin)?;
        let mut raw = before.clone();
        // Output stays cooked: a line feed begins a line.
        let lines = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
        raw.local_modes.remove(lines);
        raw.input_modes.remove(InputModes::IXON | InputModes::ICRNL);
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed before the question is no answer to it.
        tcsetattr(&stdin, OptionalActions::Flush, &raw)?;
        Ok(Self {
            before,
            waiting: VecDeque::new(),
            gone,
        })
    }

    /// The next key; none where the terminal is gone, or nobody waits for a key any more.
    pub(in crate::report) fn next(&mut self) -> Option<Key> {
        while self.waiting.is_empty() {
            if self.gone.load(Ordering::Acquire) {
                return None;
            }
            self.read(PATIENCE)?;
        }
        if self.waiting.front() == Some(&0x1b) && self.waiting.len() == 1 {
            self.read(SEQUENCE)?;
        }
        // The rest of a letter comes with its first byte, or soon after.
        let wanted = self
            .waiting
            .front()
            .map_or(1, |first| letter_length(*first));
        while self.waiting.len() < wanted {
            let before = self.waiting.len();
            self.read(SEQUENCE)?;
            if self.waiting.len() == before {
                break;
            }
        }
        Some(take_key(&mut self.waiting))
    }

    /// Reads what is there or comes within so many milliseconds; none at the end of input.
    fn read(&mut self, milliseconds: i64) -> Option<()> {
        let stdin = io::stdin();
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: milliseconds * 1_000_000,
        };
        let mut polled = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut polled, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Some(()),
            Ok(_) => {}
            Err(_) => return None,
        }
        let mut bytes = [0; 256];
        match rustix::io::read(&stdin, &mut bytes) {
            Ok(0) => None,
            Ok(count) => {
                self.waiting.extend(&bytes[..count]);
                Some(())
            }
            Err(rustix::io::Errno::INTR) => Some(()),
            Err(_) => None,
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // There is nobody to tell.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

fn letter_length(first: u8) -> usize {
    match first {
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf8 => 4,
        _ => 1,
    }
}

/// Takes the bytes of one key. Sequences are those of ECMA-48 as xterm and its like send them.
fn take_key(bytes: &mut VecDeque<u8>) -> Key {
    let Some(first) = bytes.pop_front() else {
        return Key::Other;
    };
    match first {
        0x03 => Key::Interrupt,
        0x04 => Key::End,
        b'\t' => Key::Tab,
        b'\r' | b'\n' => Key::Enter,
        0x08 | 0x7f => Key::Backspace,
        0x0e => Key::Down,
        0x10 => Key::Up,
        0x15 => Key::Clear,
        0x1b => sequence(bytes),
        0x20..0x7f => Key::Letter(first.into()),
        0x80.. => {
            let mut letter = vec![first];
            let more = letter_length(first).saturating_sub(1).min(bytes.len());
            letter.extend(bytes.drain(..more));
            let text = std::str::from_utf8(&letter).ok();
            let letter = text.and_then(|text| text.chars().next());
            letter.map_or(Key::Other, Key::Letter)
        }
        _ => Key::Other,
    }
}

/// What follows an escape.
fn sequence(bytes: &mut VecDeque<u8>) -> Key {
    if !matches!(bytes.front(), Some(b'[' | b'O')) {
        return Key::Escape;
    }
    bytes.pop_front();
    let mut parameters = Vec::new();
    while let Some(byte) = bytes.pop_front() {
        if !(0x40..0x7f).contains(&byte) {
            parameters.push(byte);
            continue;
        }
        return match (byte, parameters.as_slice()) {
            (b'A', _) => Key::Up,
            (b'B', _) => Key::Down,
            (b'H', _) | (b'~', b"1" | b"7") => Key::First,
            (b'F', _) | (b'~', b"4" | b"8") => Key::Last,
            (b'~', b"5") => Key::PageUp,
            (b'~', b"6") => Key::PageDown,
            _ => Key::Other,
        };
    }
    Key::Other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_keys() {
        let mut bytes: VecDeque<u8> = "aé夏\u{1b}[A\u{1b}OB\u{1b}[5~\u{1b}[1;5H\t\r\u{3}\u{1b}"
            .bytes()
            .collect();
        let mut keys = Vec::new();
        while !bytes.is_empty() {
            keys.push(take_key(&mut bytes));
        }
        let expected = [
            Key::Letter('a'),
            Key::Letter('é'),
            Key::Letter('夏'),
            Key::Up,
            Key::Down,
            Key::PageUp,
            Key::First,
            Key::Tab,
            Key::Enter,
            Key::Interrupt,
            Key::Escape,
        ];
        assert_eq!(keys, expected);
    }
}
