//! Where each parameter and statistic lies, and its name.

use std::ops::Range;

use super::build::Builder;
use crate::net::{
    NetError, Param,
    weights::{Layout, ParamInfo, StatInfo},
};

impl Builder<'_> {
    pub(super) fn param(
        &mut self,
        name: String,
        layout: Layout,
        fan_in: usize,
        param: Param,
    ) -> Result<Range<usize>, NetError> {
        self.check_name(&name)?;
        for (what, value) in [("lr_mult", param.lr_mult), ("decay_mult", param.decay_mult)] {
            if !(value.is_finite() && value >= 0.0) {
                let reason = format!("its {what} is {value}; it must be finite and at least 0");
                return Err(self.wrong(&name, reason));
            }
        }
        let start = self.plan.parameters();
        let range = start..start + layout.len();
        self.plan.params.push(ParamInfo {
            name,
            layout,
            range: range.clone(),
            fan_in,
            param,
        });
        Ok(range)
    }

    pub(super) fn statistic(
        &mut self,
        name: String,
        len: usize,
        start: f32,
    ) -> Result<Range<usize>, NetError> {
        self.check_name(&name)?;
        let first = self.plan.statistics();
        let range = first..first + len;
        self.plan.stats.push(StatInfo {
            name,
            range: range.clone(),
            start,
        });
        Ok(range)
    }

    fn check_name(&self, name: &str) -> Result<(), NetError> {
        let params = self.plan.params.iter().map(|p| &p.name);
        let mut taken = params.chain(self.plan.stats.iter().map(|s| &s.name));
        if taken.any(|known| known == name) {
            return Err(self.wrong(name, "another layer has that name".into()));
        }
        Ok(())
    }
}
