//! A slab: values stored under reusable numbers.

/// Values stored under a number; numbers are reused.
pub struct Slab<T> {
    items: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { items: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Stores a value; returns its number.
    pub fn put(&mut self, item: T) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.items[slot as usize] = Some(item);
            return slot;
        }
        self.items.push(Some(item));
        self.items.len() as u32 - 1
    }

    /// The value under a number.
    pub fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.items.get_mut(slot as usize).and_then(Option::as_mut)
    }

    /// Removes a value; frees its number.
    pub fn take(&mut self, slot: u32) -> Option<T> {
        self.free.push(slot);
        self.items[slot as usize].take()
    }
}
