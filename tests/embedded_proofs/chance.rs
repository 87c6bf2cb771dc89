//! Numbers that look like chance and are the same in each run (SplitMix64).

/// A row of numbers.
pub(crate) struct Chance(u64);

impl Chance {
    /// The row that `seed` begins.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// One of `choices`.
    pub(crate) fn of<Choice: Copy>(&mut self, choices: &[Choice]) -> Choice {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }

    /// Puts `things` into another order.
    pub(crate) fn shuffle<Thing>(&mut self, things: &mut [Thing]) {
        for at in (1..things.len()).rev() {
            things.swap(at, usize::try_from(self.below(at as u64 + 1)).unwrap());
        }
    }

    /// So many bytes.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        std::iter::repeat_with(|| u8::try_from(self.below(256)).unwrap()).take(length).collect()
    }
}
