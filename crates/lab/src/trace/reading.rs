//! Columns read from rows.
//!
//! # Theory of operation
//! A row is as wide as three cache lines. Read column by column, a million rows would come from
//! memory once for each column; read in blocks that stay in the nearest cache, they come once.

use super::{Column, Table};

/// Rows that are read by every column before the next are.
const BLOCK: usize = 64;

/// A table that is read from rows.
pub struct Reading<'a, R> {
    name: &'static str,
    rows: &'a [R],
    columns: Vec<(&'static str, Box<dyn Cells<R>>)>,
}

/// A column that takes its cells from rows.
trait Cells<R> {
    fn take(&mut self, rows: &[R]);
    fn column(self: Box<Self>) -> Column;
}

struct Filling<T, F> {
    cells: Vec<T>,
    of: F,
    column: fn(Vec<T>) -> Column,
}

impl<R, T, F: Fn(&R) -> T> Cells<R> for Filling<T, F> {
    fn take(&mut self, rows: &[R]) {
        self.cells.extend(rows.iter().map(&self.of));
    }

    fn column(self: Box<Self>) -> Column {
        (self.column)(self.cells)
    }
}

impl<'a, R> Reading<'a, R> {
    /// A table of this name, still without columns.
    pub fn of(name: &'static str, rows: &'a [R]) -> Reading<'a, R> {
        Reading { name, rows, columns: Vec::new() }
    }

    /// Adds a column of this type, with one cell `of` each row.
    pub fn column<T: 'static>(
        mut self,
        name: &'static str,
        column: fn(Vec<T>) -> Column,
        of: impl Fn(&R) -> T + 'static,
    ) -> Reading<'a, R> {
        let cells = Vec::with_capacity(self.rows.len());
        self.columns.push((name, Box::new(Filling { cells, of, column })));
        self
    }

    /// Reads all rows.
    pub fn table(mut self) -> Table {
        for rows in self.rows.chunks(BLOCK) {
            self.columns.iter_mut().for_each(|(_, cells)| cells.take(rows));
        }
        let columns = self.columns.into_iter().map(|(name, cells)| (name, cells.column()));
        Table { name: self.name, columns: columns.collect() }
    }
}
