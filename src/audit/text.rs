//! An audit for a person and for a program.

use super::{Audit, Finding, State};
use crate::escape::quote;
use crate::report;
use serde::Serialize;

/// Version of the JSON; it changes when a field changes its meaning or goes.
const VERSION: u32 = 1;

impl Audit {
    /// One line of JSON with its line feed: `version`, the count of each state,
    /// then the fields of this type.
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Record<'a> {
            version: u32,
            closed: usize,
            granted: usize,
            unknown: usize,
            open: usize,
            #[serde(flatten)]
            audit: &'a Audit,
        }
        report::one_line(&Record {
            version: VERSION,
            closed: self.count(State::Closed),
            granted: self.count(State::Granted),
            unknown: self.count(State::Unknown),
            open: self.count(State::Open),
            audit: self,
        })
    }

    /// For a person: what is closed by subject (each by itself with `every`), and
    /// one line for everything granted, unknown and open. Foreign text is escaped.
    pub fn text(&self, every: bool) -> String {
        let mut lines = Vec::new();
        let steps: Vec<&str> = self.layers.iter().map(|layer| layer.step).collect();
        lines.push(format!("confirmed  {}", steps.join(", ")));
        for subject in self.subjects() {
            let closed: Vec<&Finding> = self
                .of(State::Closed)
                .filter(|f| f.subject == subject)
                .collect();
            match every {
                true => lines.extend(closed.iter().map(|finding| line(finding))),
                false if closed.is_empty() => {}
                false => lines.push(format!("closed     {subject}: {} tried", closed.len())),
            }
        }
        for state in [State::Granted, State::Unknown, State::Open] {
            lines.extend(self.of(state).map(line));
        }
        for weakened in &self.weakened {
            let reason = quote(&weakened.reason);
            lines.push(format!("weakened   {}, because {reason}", weakened.token));
        }
        lines.push(format!(
            "{} tried: {} closed, {} granted by the policy, {} unknown, {} open",
            self.findings.len(),
            self.count(State::Closed),
            self.count(State::Granted),
            self.count(State::Unknown),
            self.count(State::Open)
        ));
        let mut text = lines.join("\n");
        text.push('\n');
        text
    }

    fn of(&self, state: State) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(move |finding| finding.state == state)
    }

    /// In the order of the questions.
    fn subjects(&self) -> Vec<&'static str> {
        let mut subjects = Vec::new();
        for finding in &self.findings {
            if !subjects.contains(&finding.subject) {
                subjects.push(finding.subject);
            }
        }
        subjects
    }
}

/// What and answer are printable already.
fn line(finding: &Finding) -> String {
    let state = match finding.state {
        State::Open => "OPEN",
        other => other.name(),
    };
    format!(
        "{state:<10} {}: {}: {}",
        finding.subject, finding.what, finding.answer
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit(states: &[State]) -> Audit {
        let finding = |state: &State| Finding {
            subject: "network",
            what: String::from("the host's"),
            state: *state,
            answer: String::from("EPERM"),
        };
        Audit {
            findings: states.iter().map(finding).collect(),
            layers: Vec::new(),
            weakened: Vec::new(),
        }
    }

    #[test]
    fn what_is_open_has_a_line_and_what_is_closed_is_counted() {
        let audit = audit(&[State::Closed, State::Closed, State::Open, State::Granted]);
        assert_eq!(
            audit.text(false),
            "confirmed  \n\
             closed     network: 2 tried\n\
             granted    network: the host's: EPERM\n\
             OPEN       network: the host's: EPERM\n\
             4 tried: 2 closed, 1 granted by the policy, 0 unknown, 1 open\n"
        );
        assert_eq!(
            audit
                .text(true)
                .matches("closed     network: the host's: EPERM\n")
                .count(),
            2
        );
    }

    #[test]
    fn json_has_the_counts_first() {
        let json = audit(&[State::Closed, State::Open]).json();
        let head = "{\"version\":1,\"closed\":1,\"granted\":0,\"unknown\":0,\"open\":1,\"findings\":[\
                    {\"subject\":\"network\",\"what\":\"the host's\",\"state\":\"closed\",\"answer\":\"EPERM\"}";
        assert!(json.starts_with(head), "{json}");
        assert!(json.ends_with("}\n"));
    }
}
