//! Pages of sorted lists: which one is wanted, and what was found. Each item has a place of its own in the list, so pages neither
//! repeat nor skip what was there all along when items are added in between.

use super::Timestamp;

/// A place in a list that is sorted by time, the newest first, then by id, the highest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place<I> {
    /// The item's moment.
    pub at: Timestamp,
    /// Which item.
    pub id: I,
}

/// A page that is wanted: `limit` items behind `after` or in front of `before`, those nearest to it.
#[derive(Debug, Clone)]
pub struct Wanted<K> {
    /// Only what stands behind this place.
    pub after: Option<K>,
    /// Only what stands in front of this place.
    pub before: Option<K>,
    /// How many at most.
    pub limit: usize,
    /// The last ones instead of the first ones.
    pub from_end: bool,
    /// Whether somebody wants to know how many items the whole list has. Counting a long list takes longer than a page of it.
    pub count: bool,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// The page, in the order of the list.
    pub items: Vec<T>,
    /// Whether there is more beyond it, in the direction that was asked for.
    pub more: bool,
    /// How many items the whole list has; 0 if they were not to be counted.
    pub total: usize,
}

impl<K> Wanted<K> {
    /// How many to read: one more than are wanted tells whether there is more.
    pub const fn read(&self) -> usize {
        self.limit.saturating_add(1)
    }
}

impl<T> Listed<T> {
    /// Nothing.
    pub const fn none() -> Self {
        Self { items: Vec::new(), more: false, total: 0 }
    }

    /// Of what was read in the wanted direction.
    pub fn of<K>(mut read: Vec<T>, wanted: &Wanted<K>, total: usize) -> Self {
        let more = read.len() > wanted.limit;
        read.truncate(wanted.limit);
        if wanted.from_end {
            read.reverse();
        }
        Self { items: read, more, total }
    }

    /// Of what was read of several lists, each in the wanted direction. `order` is that of the list; an item
    /// that two lists have is taken once.
    pub fn merged<K>(
        mut read: Vec<T>,
        wanted: &Wanted<K>,
        total: usize,
        order: impl Fn(&T, &T) -> std::cmp::Ordering,
    ) -> Self {
        let order = |a: &T, b: &T| if wanted.from_end { order(b, a) } else { order(a, b) };
        read.sort_by(order);
        read.dedup_by(|a, b| order(a, b).is_eq());
        Self::of(read, wanted, total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(limit: usize, from_end: bool) -> Wanted<u8> {
        Wanted { after: None, before: None, limit, from_end, count: false }
    }

    #[test]
    fn one_more_than_is_wanted_says_that_there_is_more() {
        let page = Listed::of(vec![1, 2, 3], &wanted(2, false), 9);
        assert_eq!((page.items, page.more, page.total), (vec![1, 2], true, 9));
        let page = Listed::of(vec![3, 2], &wanted(2, true), 0);
        assert_eq!((page.items, page.more), (vec![2, 3], false));
    }

    #[test]
    fn several_lists_become_one_without_doubles() {
        let page = Listed::merged(vec![1, 4, 2, 4, 5], &wanted(3, false), 0, Ord::cmp);
        assert_eq!((page.items, page.more), (vec![1, 2, 4], true));
        let page = Listed::merged(vec![5, 4, 5, 2], &wanted(3, true), 0, Ord::cmp);
        assert_eq!((page.items, page.more), (vec![2, 4, 5], false));
    }
}
