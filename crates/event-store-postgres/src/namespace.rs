use std::{borrow::Cow, sync::Arc};

use uuid::Uuid;

/// Of all relays of one namespace, the one that has this lock works. The number is the word "newswire".
const LOCK: i64 = 0x6e65_7773_7769_7265;
/// What the locks of schemas are derived from.
const LOCKS: Uuid = Uuid::from_u128(0x6e65_7773_7769_7265_8000_0000_0000_0001);

/// What a service has for itself in a database that several may share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Namespace(Arc<Names>);

#[derive(Debug)]
struct Names {
    service: &'static str,
    schema: Option<&'static str>,
    lock: i64,
    outbox: Cow<'static, str>,
    relayed: Cow<'static, str>,
}

impl Namespace {
    /// The schema with the name of `service`, which is a lower-case word. It is made when it is not there.
    #[must_use]
    pub fn of(service: &'static str) -> Self {
        let (lock, _) = Uuid::new_v5(&LOCKS, service.as_bytes()).as_u64_pair();
        Self(Arc::new(Names {
            service,
            schema: Some(service),
            lock: lock.cast_signed(),
            outbox: format!("newswire_outbox_{service}").into(),
            relayed: format!("newswire_relayed_{service}").into(),
        }))
    }

    /// The default schema, as the first release had it for its only service, with the lock and the channels of that.
    #[must_use]
    pub fn default_schema(service: &'static str) -> Self {
        Self(Arc::new(Names {
            service,
            schema: None,
            lock: LOCK,
            outbox: "newswire_outbox".into(),
            relayed: "newswire_relayed".into(),
        }))
    }

    /// The service, whose name is before everything that is told of the store.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.0.service
    }

    /// The schema of its tables; `None` is the database's default.
    pub(crate) fn schema(&self) -> Option<&'static str> {
        self.0.schema
    }

    /// The number of the lock that the active relay has.
    pub(crate) fn lock(&self) -> i64 {
        self.0.lock
    }

    /// The channel that says that there is something in the outbox.
    pub(crate) fn outbox(&self) -> &str {
        &self.0.outbox
    }

    /// The channel that says that there are new positions; its payload says whose doing they are.
    pub(crate) fn relayed(&self) -> &str {
        &self.0.relayed
    }

    /// The full name of the service's counter `name`.
    pub(crate) fn counter(&self, name: &str) -> String {
        format!("{}_{name}", self.0.service)
    }
}

#[cfg(test)]
mod tests {
    use crate::*;

    #[test]
    fn services_share_nothing() {
        let all = [Namespace::default_schema("a"), Namespace::of("a"), Namespace::of("b")];
        for (index, one) in all.iter().enumerate() {
            for other in &all[index + 1..] {
                assert_ne!(one.lock(), other.lock());
                assert_ne!(one.outbox(), other.outbox());
                assert_ne!(one.relayed(), other.relayed());
                assert_ne!(one.schema(), other.schema());
            }
        }
        assert_eq!(Namespace::of("a").lock(), Namespace::of("a").lock());
    }
}
