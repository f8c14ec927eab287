//! How many chunks a commit would store, without making any.

use crate::model::RelPath;
use crate::snapshot::chunk::{MAX_ENTRIES, ends_after};

/// What becomes of a path in the next manifest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Its line stays as it is.
    Stays,
    /// Its line changes.
    Changes,
    /// It had none.
    New,
    /// Its line goes.
    Goes,
}

/// Counts the chunks that hold anything new, of paths told in their order.
///
/// A path that comes or goes at a boundary also changes the chunk behind it: that one is split or
/// joined.
#[derive(Debug, Default)]
pub struct Touched {
    chunks: u64,
    entries: usize,
    touched: bool,
    /// It lies within a chunk that was there before, of which something came earlier.
    old: bool,
}

impl Touched {
    /// The next path.
    pub fn path(&mut self, path: &RelPath, fate: Fate) {
        let ends = ends_after(path);
        self.touched |= fate != Fate::Stays;
        self.old |= fate != Fate::New;
        if fate == Fate::Goes {
            if ends {
                // What follows began here before, and joins what is left of this chunk, if anything.
                self.old = false;
                self.touched &= self.entries > 0;
            }
            return;
        }
        self.entries += 1;
        let full = self.entries == MAX_ENTRIES;
        if full || ends {
            // What follows began elsewhere before.
            let splits = ends && fate == Fate::New && self.old;
            let shifts = full && !ends && self.touched;
            self.end();
            self.touched = splits || shifts;
            self.old = self.touched;
        }
    }

    /// No more paths: how many chunks there are to store.
    pub fn count(mut self) -> u64 {
        self.end();
        self.chunks
    }

    fn end(&mut self) {
        self.chunks += u64::from(self.touched && self.entries > 0);
        self.entries = 0;
        self.touched = false;
        self.old = false;
    }
}
