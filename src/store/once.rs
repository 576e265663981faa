//! Values that are made once: whose turn it is to make one.

use std::{
    any::{TypeId, type_name},
    cell::RefCell,
    collections::HashMap,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::type_key::BuildTypeHasher;

thread_local! {
    /// The values that are being made by the futures that this thread is polling, outermost first.
    static MAKING: RefCell<Vec<Maker>> = const { RefCell::new(Vec::new()) };
}

/// The address of a [`Turn`]'s lock, which lives as long as the turn.
type Maker = usize;

/// One asynchronous lock a type, made by the first initialiser of that type.
#[derive(Default)]
pub(super) struct Turns(OnceLock<Box<Mutex<Locks>>>);

type Locks = HashMap<TypeId, Arc<AsyncMutex<()>>, BuildTypeHasher>;

/// The right to make a value, until it is dropped.
pub(super) struct Turn {
    maker: Maker,
    _lock: OwnedMutexGuard<()>,
}

impl Turns {
    pub(super) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Waits until nobody else makes a value of this type.
    pub(super) async fn take<T: 'static>(&self) -> Turn {
        let lock = self.lock_of::<T>();
        let maker = Arc::as_ptr(&lock).addr();
        let is_own = MAKING.with_borrow(|makers| makers.contains(&maker));
        assert!(
            !is_own,
            "the initialiser of `{0}` waits for the `{0}` that it is to make: it called `get_or_init` for that type, \
             itself or through the initialiser of another; pass it what it needs instead",
            type_name::<T>(),
        );
        Turn { maker, _lock: lock.lock_owned().await }
    }

    fn lock_of<T: 'static>(&self) -> Arc<AsyncMutex<()>> {
        let locks = self.0.get_or_init(Box::default);
        let mut locks = locks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry(TypeId::of::<T>()).or_default())
    }
}

impl Turn {
    /// Awaits the initialiser, and marks each of its polls, so that what it awaits can tell.
    pub(super) async fn run<F: Future>(&self, initialiser: F) -> F::Output {
        struct Mark;

        impl Drop for Mark {
            fn drop(&mut self) {
                MAKING.with_borrow_mut(Vec::pop);
            }
        }

        let mut initialiser = pin!(initialiser);
        poll_fn(|cx| {
            MAKING.with_borrow_mut(|makers| makers.push(self.maker));
            let _mark = Mark;
            initialiser.as_mut().poll(cx)
        })
        .await
    }
}
