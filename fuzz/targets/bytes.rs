//! Turns the fuzzer's bytes into choices, and holds what every target demands of a text.
//!
//! Bytes that have run out read as 0, so that every input means something and a
//! shorter one means something simpler.
#![allow(dead_code)] // Each target uses some of it.

/// The rest of an input.
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A number below `end`, which is at most 256.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    /// True once in `of` times.
    pub fn once_in(&mut self, of: usize) -> bool {
        self.below(of) == of - 1
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    pub fn u32(&mut self) -> u32 {
        u32::from(self.u16()) | u32::from(self.u16()) << 16
    }

    pub fn u64(&mut self) -> u64 {
        u64::from(self.u32()) | u64::from(self.u32()) << 32
    }

    pub fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        match from.len() {
            0..=256 => &from[self.below(from.len())],
            more => &from[usize::from(self.u16()) % more],
        }
    }

    /// Up to `most` bytes, as many as the first byte says.
    pub fn some(&mut self, most: usize) -> &'a [u8] {
        let length = self.below(most + 1).min(self.0.len());
        let (some, rest) = self.0.split_at(length);
        self.0 = rest;
        some
    }
}

/// A message may have lines, and nothing in it that a reader does not see.
pub fn printable(text: &str) {
    let bad = text
        .chars()
        .find(|c| *c != '\n' && sandbox::escape::deceptive(*c));
    assert_eq!(bad, None, "in {text:?}");
}
