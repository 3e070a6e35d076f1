//! The memory that bodies of requests may take, all connections of a worker together. Source: setting `buffer_memory`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// So much, and how much of it is in use; in bytes.
#[derive(Debug)]
pub(super) struct Budget {
    most: u64,
    used: AtomicU64,
}

/// What one connection has taken of it; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<Budget>,
    taken: u64,
}

impl Budget {
    /// Of `most` bytes.
    pub(super) fn new(most: u64) -> Arc<Self> {
        Arc::new(Self { most, used: AtomicU64::new(0) })
    }
}

impl Share {
    /// Of nothing yet.
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        Self { budget: budget.clone(), taken: 0 }
    }

    /// Takes `len` bytes more; `false` if there are not as many left.
    pub(super) fn take(&mut self, len: u64) -> bool {
        let before = self.budget.used.fetch_add(len, Relaxed);
        let fits = before.saturating_add(len) <= self.budget.most;
        if fits {
            self.taken += len;
        } else {
            self.budget.used.fetch_sub(len, Relaxed);
        }
        fits
    }

    /// What it is a share of.
    #[cfg(test)]
    pub(super) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Gives all back.
    pub(super) fn give_back(&mut self) {
        if self.taken > 0 {
            self.budget.used.fetch_sub(std::mem::take(&mut self.taken), Relaxed);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back() {
        let budget = Budget::new(10);
        let (mut one, mut other) = (Share::new(&budget), Share::new(&budget));
        assert!(one.take(4) && one.take(4));
        assert!(!other.take(3));
        assert!(other.take(2));
        one.give_back();
        assert!(other.take(8));
        drop(other);
        assert!(one.take(10));
    }
}
