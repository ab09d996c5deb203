//! Sessions of the accounts that have sent an authentic record.

use super::Config;
use super::record::{self, Key, Record};
use crate::admission::bucket::Bucket;
use crate::units::Ns;

/// Number of accounts per page.
const PAGE: usize = 1 << 12;

/// State of an account's session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    key: Key,
    pub(super) last_number: u32,
    pub(super) buckets: Option<[Bucket; 3]>,
}

type Page = Vec<Option<Box<Session>>>;

/// Sessions by account, in pages: an account's number costs no memory for those below it.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    pages: Vec<Page>,
}

impl Sessions {
    /// The session of a record's account, which begins with its first authentic record; `None` if
    /// the record's MAC is not that of the account. No state is kept for such an account.
    #[inline]
    pub(super) fn of(
        &mut self,
        record: &Record<'_>,
        config: &Config,
        account: u32,
        now: Ns,
    ) -> Option<&mut Session> {
        let (page, at) = (account as usize / PAGE, account as usize % PAGE);
        let known = self.pages.get(page).and_then(|page| page.get(at)).is_some_and(Option::is_some);
        if !known {
            let key = record::account_key(&config.key, account);
            if !record.is_from(&key) {
                return None;
            }
            self.begin(page, at, Session::new(key, config, now));
            return self.pages[page][at].as_deref_mut();
        }
        self.pages[page][at].as_deref_mut().filter(|session| record.is_from(&session.key))
    }

    fn begin(&mut self, page: usize, at: usize, session: Session) {
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, Vec::new);
        }
        let page = &mut self.pages[page];
        if page.is_empty() {
            page.resize_with(PAGE, || None);
        }
        page[at] = Some(Box::new(session));
    }
}

impl Session {
    fn new(key: Key, config: &Config, now: Ns) -> Session {
        let buckets = config.limits.as_ref().map(|limits| {
            let [orders, cancels, reducing] = limits;
            [orders, cancels, reducing].map(|limit| Bucket::full(limit, now))
        });
        Session { key, last_number: 0, buckets }
    }
}
