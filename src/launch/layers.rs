//! What a launch has come to, step by step. The words for it are found when the run is over,
//! for nobody reads them before, and before exec everybody would wait.

use super::explain;
use crate::plan::Plan;
use crate::policy::Network;
use crate::report::Layer;
use crate::step::Step;

/// Every step as confirmed.
pub struct Layers {
    /// With the item that the confirmation named.
    done: Vec<(Step, u32)>,
    /// Where a worker launched: how many operations the run did itself.
    renewed: Option<usize>,
    /// It was begun before anybody wanted it.
    stood_by: bool,
}

impl Layers {
    /// The steps that are done before the new process says anything.
    pub fn begin() -> Layers {
        let mut done = Vec::with_capacity(Step::ALL.len());
        done.extend([(Step::Sanitize, 0), (Step::Cgroup, 0)]);
        Layers {
            done,
            renewed: None,
            stood_by: false,
        }
    }

    /// One more, and its item.
    pub fn push(&mut self, (step, item): (Step, u32)) {
        self.done.push((step, item));
    }

    /// It runs on a root that stood, of which it did so many operations anew.
    pub(super) fn on_standing_root(&mut self, renewed: usize) {
        self.renewed = Some(renewed);
    }

    /// It was begun before it was asked for.
    pub(super) fn stood_by(&mut self) {
        self.stood_by = true;
    }

    /// In words; `group` is what is said of the control group, `host_id` the one that a run by
    /// root has claimed.
    pub fn words(&self, plan: &Plan, group: Option<&str>, host_id: Option<u32>) -> Vec<Layer> {
        let words = |(step, item): &(Step, u32)| match step {
            Step::Cgroup => explain::cgroup_layer(group),
            Step::Ids => explain::ids_layer(plan, host_id),
            _ => {
                let mut layer = explain::layer(*step, *item, plan);
                self.reword(*step, &mut layer.detail, plan);
                layer
            }
        };
        self.done.iter().map(words).collect()
    }

    /// What is said otherwise of a run by a worker.
    fn reword(&self, step: Step, detail: &mut String, plan: &Plan) {
        let Some(renewed) = self.renewed else {
            return;
        };
        match step {
            Step::Mounts => {
                let all = plan.mounts.ops.len();
                *detail = format!("a root that stood, {renewed} of its {all} operations anew");
            }
            Step::Root => *detail = String::from("the root that stood, read-only"),
            Step::Net if plan.network == Network::None => {
                *detail =
                    String::from("a namespace that no other run has now, nothing up, found empty");
            }
            Step::Payload if self.stood_by => detail.push_str("; stood by for its program"),
            _ => {}
        }
    }
}
