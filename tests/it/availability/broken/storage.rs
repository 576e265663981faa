//! Storages of the current user that can fail to restore the outer one, which the crate's storage cannot.

use std::{
    cell::Cell,
    mem,
    sync::{Mutex, PoisonError},
};

use super::super::{enter_guards::enter_by_hand, report::Storage};
use crate::support::User;

thread_local! {
    static CURRENT_USER: Cell<Option<User>> = const { Cell::new(None) };
    static OUTER_USER: Cell<Option<User>> = const { Cell::new(None) };
}

/// A thread-local of its own, restored in different ways.
#[derive(Clone, Copy)]
pub(super) enum ThreadLocal {
    Restores,
    RestoresUnlessUnwinding,
    RestoresAtEnd,
    NeverRestores,
    Clears,
}

impl Storage for ThreadLocal {
    fn current() -> Option<User> {
        CURRENT_USER.get()
    }

    fn scope<R>(self, user: User, f: impl FnOnce() -> R) -> R {
        let f = || enter_by_hand(user, f);
        let outer = CURRENT_USER.replace(Some(user));
        match self {
            Self::Restores => {
                let _restore = RestoreOnDrop(|outer| CURRENT_USER.set(outer), outer);
                f()
            }
            Self::RestoresUnlessUnwinding => {
                let result = f();
                CURRENT_USER.set(outer);
                result
            }
            Self::RestoresAtEnd => {
                if outer != Some(user) {
                    OUTER_USER.set(outer);
                }
                f()
            }
            Self::NeverRestores => f(),
            Self::Clears => {
                let _restore = RestoreOnDrop(|outer| CURRENT_USER.set(outer), None);
                f()
            }
        }
    }

    fn last_scope<R>(self, user: User, f: impl FnOnce() -> R) -> R {
        let outer = matches!(self, Self::RestoresAtEnd).then(|| OUTER_USER.get());
        let _restore = outer.map(|outer| RestoreOnDrop(|outer| CURRENT_USER.set(outer), outer));
        self.scope(user, f)
    }
}

static GLOBAL_USER: Mutex<Option<User>> = Mutex::new(None);

/// A static that is restored correctly. Only one test may use it, because tests run concurrently.
#[derive(Clone, Copy)]
pub(super) struct Global;

impl Global {
    fn replace(user: Option<User>) -> Option<User> {
        mem::replace(&mut GLOBAL_USER.lock().unwrap_or_else(PoisonError::into_inner), user)
    }
}

impl Storage for Global {
    fn current() -> Option<User> {
        *GLOBAL_USER.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn scope<R>(self, user: User, f: impl FnOnce() -> R) -> R {
        let outer = Self::replace(Some(user));
        let _restore = RestoreOnDrop(|outer| _ = Self::replace(outer), outer);
        enter_by_hand(user, f)
    }
}

/// Restores the outer user on drop.
struct RestoreOnDrop(fn(Option<User>), Option<User>);

impl Drop for RestoreOnDrop {
    fn drop(&mut self) {
        self.0(self.1);
    }
}
