//! Pages of lists: Relay's cursor connections over any sorted list. A cursor is the position of an item, not its index, so
//! pages neither repeat nor skip what was there all along when items are added in between.

use async_graphql::{Context, Result};
use data_encoding::BASE64URL_NOPAD;

use super::scalars::PageInfo;
use crate::api::graphql::error::Code;
use crate::config;
use crate::kernel::{Listed, Timestamp, Wanted};

/// Where an item stands: by time, then by id. Lists are sorted by it, so it is unique within a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position<const N: usize> {
    /// The time that the list is sorted by.
    pub at: Timestamp,
    /// The bytes of the item's id.
    pub id: [u8; N],
}

impl<const N: usize> Position<N> {
    /// The opaque cursor.
    pub fn encode(&self) -> String {
        let mut bytes = self.at.as_millis().to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.id);
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// From its cursor; `None` when it is not one.
    pub fn decode(cursor: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?;
        let (at, id) = bytes.split_first_chunk::<8>()?;
        Some(Self { at: Timestamp::from_millis(i64::from_be_bytes(*at)), id: id.try_into().ok()? })
    }
}

/// Where an item stands in a list that is sorted by a text, then by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPosition {
    /// The text that the list is sorted by.
    pub text: String,
    /// The bytes of the item's id.
    pub id: [u8; 16],
}

impl TextPosition {
    /// The opaque cursor.
    pub fn encode(&self) -> String {
        BASE64URL_NOPAD.encode(&[&self.id[..], self.text.as_bytes()].concat())
    }

    /// From its cursor; `None` when it is not one.
    pub fn decode(cursor: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?;
        let (id, text) = bytes.split_first_chunk::<16>()?;
        let text = str::from_utf8(text).ok().filter(|text| !text.contains('\0'))?;
        Some(Self { text: text.to_owned(), id: *id })
    }
}

/// The arguments that every connection takes, as they came.
#[derive(Debug, Clone, Default)]
pub struct PageArgs {
    /// Items from the beginning.
    pub first: Option<i32>,
    /// Return items after this cursor.
    pub after: Option<String>,
    /// Items from the end.
    pub last: Option<i32>,
    /// Return items before this cursor.
    pub before: Option<String>,
}

/// Which items are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest<P> {
    /// How many at most.
    pub size: usize,
    /// The last ones instead of the first ones.
    pub from_end: bool,
    /// Only what comes after this position.
    pub after: Option<P>,
    /// Only what comes before this position.
    pub before: Option<P>,
}

impl PageArgs {
    /// The request, or `BAD_USER_INPUT`.
    pub fn check<const N: usize>(&self, config: &config::Graphql) -> Result<PageRequest<Position<N>>> {
        self.check_with(config, Position::decode)
    }

    /// The same for a list that is sorted by a text.
    pub fn check_text(&self, config: &config::Graphql) -> Result<PageRequest<TextPosition>> {
        self.check_with(config, TextPosition::decode)
    }

    fn check_with<P>(&self, config: &config::Graphql, decode: fn(&str) -> Option<P>) -> Result<PageRequest<P>> {
        let (name, count) = match (self.first, self.last) {
            (Some(_), Some(_)) => return Err(Code::BadUserInput.error("Use either `first` or `last`, not both.")),
            (None, Some(last)) => ("last", Some(last)),
            (first, None) => ("first", first),
        };
        let size = count.map_or(Some(config.page_default), |count| usize::try_from(count).ok());
        let Some(size) = size.filter(|size| *size <= config.page_max) else {
            return Err(Code::BadUserInput.error(format!("`{name}` must be from 0 to {}.", config.page_max)));
        };
        let position = |name: &str, cursor: Option<&String>| {
            let decoded = cursor.map(|cursor| decode(cursor).ok_or(name));
            decoded
                .transpose()
                .map_err(|name| Code::BadUserInput.error(format!("`{name}` is not a cursor of this list.")))
        };
        Ok(PageRequest {
            size,
            from_end: self.last.is_some(),
            after: position("after", self.after.as_ref())?,
            before: position("before", self.before.as_ref())?,
        })
    }
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Cursor and item, in the order of the list.
    pub edges: Vec<(String, T)>,
    /// Whether there is more before the page.
    pub has_previous: bool,
    /// Whether there is more after the page.
    pub has_next: bool,
    /// Items of the whole list.
    pub total: usize,
}

impl<P> PageRequest<P> {
    /// The request as the slices take it. The list is counted only if the document asks for it.
    pub fn wanted<K>(&self, ctx: &Context<'_>, place: impl Fn(&P) -> K) -> Wanted<K> {
        Wanted {
            after: self.after.as_ref().map(&place),
            before: self.before.as_ref().map(&place),
            limit: self.size,
            from_end: self.from_end,
            count: ctx.look_ahead().field("totalCount").exists(),
        }
    }

    /// The page of what a slice has found.
    pub fn page<T, U>(&self, listed: Listed<T>, cursor: impl Fn(&T) -> String, make: impl Fn(T) -> U) -> Page<U> {
        Page {
            has_previous: if self.from_end { listed.more } else { self.after.is_some() },
            has_next: if self.from_end { self.before.is_some() } else { listed.more },
            total: listed.total,
            edges: listed.items.into_iter().map(|item| (cursor(&item), make(item))).collect(),
        }
    }
}

impl<const N: usize> PageRequest<Position<N>> {
    /// The wanted page of a list that is sorted by `position`.
    pub fn of<T: Clone>(&self, sorted: &[T], position: impl Fn(&T) -> Position<N>) -> Page<T> {
        let lower = self.after.map_or(0, |after| sorted.partition_point(|item| position(item) <= after));
        let upper = self.before.map_or(sorted.len(), |before| sorted.partition_point(|item| position(item) < before));
        let upper = upper.max(lower);
        let (from, to) = if self.from_end {
            (upper.saturating_sub(self.size).max(lower), upper)
        } else {
            (lower, (lower + self.size).min(upper))
        };
        Page {
            edges: sorted[from..to].iter().map(|item| (position(item).encode(), item.clone())).collect(),
            has_previous: from > 0,
            has_next: to < sorted.len(),
            total: sorted.len(),
        }
    }
}

impl<T> Page<T> {
    /// The same page of something made from the items.
    pub fn map<U>(self, mut make: impl FnMut(T) -> U) -> Page<U> {
        let Self { edges, has_previous, has_next, total } = self;
        let edges = edges.into_iter().map(|(cursor, item)| (cursor, make(item))).collect();
        Page { edges, has_previous, has_next, total }
    }

    /// The pagination details of the page.
    pub fn info(&self) -> PageInfo {
        PageInfo {
            has_previous_page: self.has_previous,
            has_next_page: self.has_next,
            start_cursor: self.edges.first().map(|(cursor, _)| cursor.clone()),
            end_cursor: self.edges.last().map(|(cursor, _)| cursor.clone()),
        }
    }
}

/// Declares a connection over a [`Page`] and its edge:
/// `connection!(/** A page of sales. */ SaleConnection, SaleEdge, "Sale", SaleObject);`
macro_rules! connection {
    ($(#[$doc:meta])* $connection:ident, $edge:ident, $node:ty) => {
        $(#[$doc])*
        pub struct $connection(pub $crate::api::graphql::types::connection::Page<$node>);

        $(#[$doc])*
        #[async_graphql::Object]
        impl $connection {
            /// The items of this page, each with its cursor.
            async fn edges(&self) -> Vec<$edge> {
                let edge = |(cursor, node): &(String, $node)| $edge { cursor: cursor.clone(), node: node.clone() };
                self.0.edges.iter().map(edge).collect()
            }

            /// The items of this page, without cursors.
            async fn nodes(&self) -> Vec<$node> {
                self.0.edges.iter().map(|(_, node)| node.clone()).collect()
            }

            /// Pagination details of this page.
            async fn page_info(&self) -> $crate::api::graphql::types::scalars::PageInfo {
                self.0.info()
            }

            /// The number of items in the whole list.
            async fn total_count(&self) -> i32 {
                i32::try_from(self.0.total).unwrap_or(i32::MAX)
            }
        }

        /// An item of a list, with its cursor.
        #[derive(async_graphql::SimpleObject)]
        pub struct $edge {
            /// An opaque cursor. Pass it as `after` or `before` to continue from this item.
            cursor: String,
            /// The item.
            node: $node,
        }
    };
}

pub(crate) use connection;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config() -> config::Graphql {
        let sources = config::Sources::default();
        let mut graphql = config::Config::load(&sources).unwrap().graphql;
        (graphql.page_default, graphql.page_max) = (20, 100);
        graphql
    }

    fn item(at: i64, id: u8) -> Position<1> {
        Position { at: Timestamp::from_millis(at), id: [id] }
    }

    fn bad(args: &PageArgs) -> String {
        args.check::<1>(&config()).unwrap_err().message
    }

    #[test]
    fn arguments_that_make_no_sense_are_refused() {
        let none = PageArgs::default();
        assert!(bad(&PageArgs { first: Some(1), last: Some(1), ..none.clone() }).contains("either"));
        assert!(bad(&PageArgs { first: Some(-1), ..none.clone() }).contains("`first` must be from 0 to 100"));
        assert!(bad(&PageArgs { last: Some(101), ..none.clone() }).contains("`last` must be from 0 to 100"));
        for cursor in ["", "x", "====", "AAAA", &item(1, 1).encode()[1..], &format!("{}A", item(1, 1).encode())] {
            assert!(bad(&PageArgs { after: Some(cursor.into()), ..none.clone() }).contains("`after`"), "{cursor}");
            assert!(bad(&PageArgs { before: Some(cursor.into()), ..none.clone() }).contains("`before`"), "{cursor}");
        }
        assert_eq!(none.check::<1>(&config()).unwrap().size, 20);
        assert_eq!(PageArgs { first: Some(0), ..none }.check::<1>(&config()).unwrap().size, 0);
    }

    #[test]
    fn flags_say_what_lies_around_the_page() {
        let list = [item(1, 1), item(2, 1), item(2, 2)];
        let page = |args: PageArgs| {
            let page = args.check(&config()).unwrap().of(&list, |item| *item);
            (page.edges.len(), page.has_previous, page.has_next, page.total)
        };
        let none = PageArgs::default();
        assert_eq!(page(none.clone()), (3, false, false, 3));
        assert_eq!(page(PageArgs { first: Some(2), ..none.clone() }), (2, false, true, 3));
        assert_eq!(page(PageArgs { last: Some(1), ..none.clone() }), (1, true, false, 3));
        assert_eq!(page(PageArgs { first: Some(0), ..none.clone() }), (0, false, true, 3));
        let after = Some(item(1, 1).encode());
        assert_eq!(page(PageArgs { after: after.clone(), before: after, ..none }), (0, true, true, 3));
    }

    proptest! {
        #[test]
        fn walking_yields_each_item_once(
            items in proptest::collection::btree_set((-3_i64..3, any::<u8>()), 0..40),
            size in 1..50_i32,
            forward: bool,
        ) {
            let list: Vec<_> = items.into_iter().map(|(at, id)| item(at, id)).collect();
            let mut walked = Vec::new();
            let mut cursor = None;
            for _ in 0..=list.len() {
                let args = if forward {
                    PageArgs { first: Some(size), after: cursor.clone(), ..PageArgs::default() }
                } else {
                    PageArgs { last: Some(size), before: cursor.clone(), ..PageArgs::default() }
                };
                let page = args.check(&config()).unwrap().of(&list, |item| *item);
                let found = page.edges.iter().map(|(_, item)| *item);
                if forward {
                    walked.extend(found);
                } else {
                    walked = found.chain(walked).collect();
                }
                let info = page.info();
                let more = if forward { page.has_next } else { page.has_previous };
                if !more {
                    break;
                }
                cursor = if forward { info.end_cursor } else { info.start_cursor };
            }
            prop_assert_eq!(walked, list);
        }

        #[test]
        fn cursors_stay_good_when_items_are_added(
            items in proptest::collection::btree_set((0_i64..9, any::<u8>()), 2..20),
            added in proptest::collection::btree_set((0_i64..9, any::<u8>()), 0..20),
            size in 1..20_i32,
        ) {
            let before: Vec<_> = items.iter().map(|(at, id)| item(*at, *id)).collect();
            let after: Vec<_> = items.union(&added).map(|(at, id)| item(*at, *id)).collect();
            let page = |list: &[Position<1>], cursor: Option<String>| {
                let args = PageArgs { first: Some(size), after: cursor, ..PageArgs::default() };
                args.check(&config()).unwrap().of(list, |item| *item)
            };
            let first = page(&before, None);
            let seen: Vec<_> = first.edges.iter().map(|(_, item)| *item).collect();
            let mut rest = Vec::new();
            let mut cursor = first.info().end_cursor;
            loop {
                let next = page(&after, cursor);
                rest.extend(next.edges.iter().map(|(_, item)| *item));
                cursor = next.info().end_cursor;
                if !next.has_next { break }
            }
            for item in &before {
                let times = seen.iter().chain(&rest).filter(|found| *found == item).count();
                prop_assert_eq!(times, 1);
            }
        }

        #[test]
        fn cursors_round_trip(at: i64, id: [u8; 28]) {
            let position = Position { at: Timestamp::from_millis(at), id };
            prop_assert_eq!(Position::decode(&position.encode()), Some(position));
        }

        #[test]
        fn cursors_of_texts_round_trip(text in "[^\0]{0,40}", id: [u8; 16]) {
            let position = TextPosition { text, id };
            prop_assert_eq!(TextPosition::decode(&position.encode()), Some(position));
        }
    }
}
