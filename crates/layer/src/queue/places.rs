//! Numbered places of waiting items. A place is reused after its item has left.

/// Number of a place.
pub type Place = u32;

#[derive(Clone, Debug)]
pub(super) struct Places<T> {
    items: Vec<Option<T>>,
    free: Vec<Place>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Places { items: Vec::new(), free: Vec::new() }
    }
}

impl<T> Places<T> {
    #[inline]
    pub(super) fn put(&mut self, item: T) -> Place {
        if let Some(place) = self.free.pop() {
            self.items[place as usize] = Some(item);
            return place;
        }
        self.items.push(Some(item));
        self.items.len() as Place - 1
    }

    #[inline]
    pub(super) fn take(&mut self, place: Place) -> Option<T> {
        let item = self.items.get_mut(place as usize)?.take()?;
        self.free.push(place);
        Some(item)
    }

    pub(super) fn get(&self, place: Place) -> Option<&T> {
        self.items.get(place as usize)?.as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter().flatten()
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.items.len() - self.free.len()
    }

    /// Removes every item for which `goes` is true; whether there was any.
    pub(super) fn remove_if(&mut self, mut goes: impl FnMut(&T) -> bool) -> bool {
        let before = self.free.len();
        for (place, item) in self.items.iter_mut().enumerate() {
            if item.as_ref().is_some_and(&mut goes) {
                *item = None;
                self.free.push(place as Place);
            }
        }
        self.free.len() > before
    }
}
