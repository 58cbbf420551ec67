//! Random numbers that are a function of (seed, stream, index).

/// Numbers of one key, in order.
pub(super) struct Keyed(u64);

impl Keyed {
    pub(super) fn new(seed: u64, stream: u64, index: u64) -> Self {
        Self(mix(mix(mix(seed) ^ stream) ^ index))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Evenly from 0 to `bound - 1`.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let bound = u128::from(bound);
        ((u128::from(self.next()) * bound) >> 64) as u32
    }

    pub(super) fn shuffle(&mut self, items: &mut [u32]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u32 + 1) as usize);
        }
    }
}

fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
