//! Carriers that can be left wrong, as the crate's cannot.

use std::{
    cell::Cell,
    mem,
    sync::{Mutex, PoisonError},
};

use super::super::{entered::enter_by_hand, report::Carrier};
use crate::support::User;

thread_local! {
    static OWN: Cell<Option<User>> = const { Cell::new(None) };
    static BEFORE: Cell<Option<User>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
pub(super) enum Own {
    Restores,
    RestoresUnlessUnwinding,
    RestoresLast,
    NeverRestores,
    Clears,
}

impl Carrier for Own {
    fn current() -> Option<User> {
        OWN.get()
    }

    fn scope<R>(self, user: User, f: impl FnOnce() -> R) -> R {
        let f = || enter_by_hand(user, f);
        let outer = OWN.replace(Some(user));
        match self {
            Self::Restores => {
                let _leave = Leave(|outer| OWN.set(outer), outer);
                f()
            }
            Self::RestoresUnlessUnwinding => {
                let result = f();
                OWN.set(outer);
                result
            }
            Self::RestoresLast => {
                if outer != Some(user) {
                    BEFORE.set(outer);
                }
                f()
            }
            Self::NeverRestores => f(),
            Self::Clears => {
                let _leave = Leave(|outer| OWN.set(outer), None);
                f()
            }
        }
    }

    fn last_scope<R>(self, user: User, f: impl FnOnce() -> R) -> R {
        let outer = matches!(self, Self::RestoresLast).then(|| BEFORE.get());
        let _leave = outer.map(|outer| Leave(|outer| OWN.set(outer), outer));
        self.scope(user, f)
    }
}

static GLOBALLY: Mutex<Option<User>> = Mutex::new(None);

/// Restores as it should. A second test that used it would see the first.
#[derive(Clone, Copy)]
pub(super) struct Global;

impl Global {
    fn replace(user: Option<User>) -> Option<User> {
        mem::replace(&mut GLOBALLY.lock().unwrap_or_else(PoisonError::into_inner), user)
    }
}

impl Carrier for Global {
    fn current() -> Option<User> {
        *GLOBALLY.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn scope<R>(self, user: User, f: impl FnOnce() -> R) -> R {
        let outer = Self::replace(Some(user));
        let _leave = Leave(|outer| _ = Self::replace(outer), outer);
        enter_by_hand(user, f)
    }
}

/// Restores in its drop.
struct Leave(fn(Option<User>), Option<User>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0(self.1);
    }
}
