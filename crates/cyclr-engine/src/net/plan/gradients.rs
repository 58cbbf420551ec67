//! Which buffer holds which gradient.

use super::{Op, Plan, Target};

impl Plan {
    /// Decides which buffer holds which gradient. Going backwards, a value's gradient lives from
    /// its last reader to its writer; buffers are reused as soon as they are free.
    pub(super) fn place_gradients(&mut self) {
        let mut slots = Slots::default();
        let mut slot_of = vec![None; self.values.len()];
        let output = self.output();
        slot_of[output] = Some(slots.take(self.values[output]));
        for step in self.steps.iter_mut().rev() {
            if step.x == step.y {
                continue;
            }
            let other = step.op.other();
            let mut unneeded = None;
            step.dx = slots.target(step.x, &self.values, &mut slot_of);
            if step.dx == Target::Nowhere && matches!(step.op, Op::BatchNorm(..)) {
                // A batch norm computes this gradient in any case.
                let unused = slots.take(self.values[step.x]);
                step.dx = Target::Slot(unused);
                unneeded = Some(unused);
            }
            if let Some(other) = other {
                step.dother = slots.target(other, &self.values, &mut slot_of);
            }
            for target in [step.dx, step.dother] {
                if let Target::Add { temporary, .. } = target {
                    slots.free.push(temporary);
                }
            }
            slots.free.extend(unneeded);
            slots
                .free
                .push(slot_of[step.y].expect("every value but the input has a reader behind it"));
        }
        self.slots = slots.sizes;
        self.slot_of = slot_of;
    }
}

/// Buffers, sized by the largest gradient each will hold.
#[derive(Default)]
struct Slots {
    sizes: Vec<usize>,
    free: Vec<usize>,
}

impl Slots {
    fn take(&mut self, size: usize) -> usize {
        let free = 0..self.free.len();
        // The smallest that is large enough, else the largest, which grows.
        let chosen = free
            .clone()
            .filter(|&i| self.sizes[self.free[i]] >= size)
            .min_by_key(|&i| self.sizes[self.free[i]])
            .or_else(|| free.max_by_key(|&i| self.sizes[self.free[i]]));
        let slot = chosen.map_or_else(
            || {
                self.sizes.push(0);
                self.sizes.len() - 1
            },
            |i| self.free.swap_remove(i),
        );
        self.sizes[slot] = self.sizes[slot].max(size);
        slot
    }

    fn target(&mut self, value: usize, sizes: &[usize], slot_of: &mut [Option<usize>]) -> Target {
        if value == 0 {
            return Target::Nowhere;
        }
        let slot = self.take(sizes[value]);
        if let Some(sum) = slot_of[value] {
            return Target::Add {
                temporary: slot,
                sum,
            };
        }
        slot_of[value] = Some(slot);
        Target::Slot(slot)
    }
}
