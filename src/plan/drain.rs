//! A list that gives its memory back while it is read.

/// The items of a list, from the first to the last. What was read takes no memory any more, but for at most as much
/// as what is left: what is made of a million items need not be held beside all of them.
#[derive(Debug)]
pub(super) struct Drain<T> {
    /// From the last to the first.
    rest: Vec<T>,
}

impl<T> Drain<T> {
    pub(super) fn new(mut items: Vec<T>) -> Self {
        items.reverse();
        Self { rest: items }
    }
}

impl<T> Iterator for Drain<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let item = self.rest.pop();
        if self.rest.len() < self.rest.capacity() / 2 {
            self.rest.shrink_to_fit();
        }
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_order_and_their_memory_goes() {
        let mut drain = Drain::new((0..1_000).collect());
        for expected in 0..1_000 {
            assert_eq!(drain.next(), Some(expected));
            assert!(drain.rest.capacity() <= 2 * drain.rest.len() + 1);
        }
        assert_eq!(drain.next(), None);
    }
}
