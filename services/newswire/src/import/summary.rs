//! What an import did.

use std::{collections::BTreeMap, fmt};

use super::{
    draft::Loss,
    outcome::{Class, Outcome, Reason},
};

/// How many names there are of each reason, unless all are wanted.
const NAMES: usize = 10;

/// Counts, and names for every reason other than success.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// Whether all names are wanted.
    all: bool,
    /// Whether nothing was sent.
    dry: bool,
    reasons: BTreeMap<Reason, Group>,
    losses: BTreeMap<&'static str, Group>,
}

#[derive(Debug, Default)]
struct Group {
    count: u64,
    /// Place and detail.
    names: Vec<(String, String)>,
}

impl Group {
    fn add(&mut self, all: bool, place: &str, detail: String) {
        self.count += 1;
        if all || self.names.len() < NAMES {
            self.names.push((place.to_owned(), detail));
        }
    }
}

impl Summary {
    /// An empty one; with `all`, nothing that it is told is cut short.
    pub(crate) fn new(all: bool, dry: bool) -> Self {
        Self { all, dry, ..Self::default() }
    }

    /// Takes in what became of the article at `place`.
    pub(crate) fn add(&mut self, place: &str, outcome: Outcome) {
        let Outcome { reason, detail } = outcome;
        let group = self.reasons.entry(reason).or_default();
        if reason.text().is_some() {
            group.add(self.all, place, detail);
        } else {
            group.count += 1;
        }
    }

    /// Takes in what the article at `place` does not have of its source.
    pub(crate) fn lost(&mut self, place: &str, loss: &Loss) {
        let (what, detail) = match loss {
            Loss::Slug(slug) => ("slugs left out: not a-z, 0-9 and hyphens", slug.clone()),
            Loss::Tags(tags) => ("tags left out: too many or too long", tags.join(", ")),
            Loss::Members(names) => ("members left out: not of an article", names.join(", ")),
        };
        self.losses.entry(what).or_default().add(self.all, place, detail);
    }

    /// Whether there was no article at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Whether something could not be read or settled.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.count(Class::Failed) > 0
    }

    fn count(&self, class: Class) -> u64 {
        let of = self.reasons.iter().filter(|(reason, _)| reason.class() == class);
        of.map(|(_, group)| group.count).sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, group) in &self.losses {
            list(f, what, "without", group)?;
        }
        for (reason, group) in &self.reasons {
            if let Some(text) = reason.text() {
                list(f, text, reason.class().word(), group)?;
            }
        }
        let created = if self.dry { "to create or there" } else { "created" };
        write!(f, "{} {created}", self.count(Class::Created))?;
        if !self.dry {
            write!(f, ", {} already there", self.count(Class::AlreadyThere))?;
        }
        write!(f, ", {} refused", self.count(Class::Refused))?;
        write!(f, ", {} failed", self.count(Class::Failed))?;
        for (class, word) in
            [(Class::LeftOut, "left out"), (Class::DeletedMeanwhile, "deleted meanwhile")]
        {
            match self.count(class) {
                0 => {}
                count => write!(f, ", {count} {word}")?,
            }
        }
        Ok(())
    }
}

fn list(f: &mut fmt::Formatter<'_>, what: &str, word: &str, group: &Group) -> fmt::Result {
    writeln!(f, "{what}: {}", group.count)?;
    for (place, detail) in &group.names {
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        writeln!(f, "  {word}: {place}{detail}")?;
    }
    match group.count - group.names.len() as u64 {
        0 => Ok(()),
        more => writeln!(f, "  and {more} more; --verbose names them"),
    }
}
