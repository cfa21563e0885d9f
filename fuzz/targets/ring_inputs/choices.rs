//! Bytes read as choices, one after the other; when they are used up, there is nothing to choose.

/// What is left of an input.
#[derive(Debug)]
pub(crate) struct Choices<'a> {
    bytes: &'a [u8],
}

impl<'a> Choices<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next byte; zero when all are used up.
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.bytes.split_first() else {
            return 0;
        };
        self.bytes = rest;
        *byte
    }

    /// One of so many; none of none.
    pub(crate) fn below(&mut self, count: usize) -> Option<usize> {
        usize::from(self.byte()).checked_rem(count)
    }

    pub(crate) fn yes(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    /// At most so many bytes as they are.
    pub(crate) fn bytes(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.bytes.split_at(self.bytes.len().min(most));
        self.bytes = rest;
        taken
    }
}
