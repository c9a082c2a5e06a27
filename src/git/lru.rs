//! A map that forgets what was used longest ago once its weight is over the bound.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// Weights are bytes, estimated by the caller.
pub struct Lru<K, V> {
    bound: usize,
    weight: usize,
    clock: u64,
    entries: HashMap<K, Entry<V>>,
    by_age: BTreeMap<u64, K>,
}

struct Entry<V> {
    value: V,
    weight: usize,
    used: u64,
}

impl<K: Hash + Eq + Clone, V> Lru<K, V> {
    pub fn new(bound: usize) -> Self {
        Self { bound, weight: 0, clock: 0, entries: HashMap::new(), by_age: BTreeMap::new() }
    }

    pub fn get(&mut self, key: &K) -> Option<&mut V> {
        let entry = self.entries.get_mut(key)?;
        self.clock += 1;
        self.by_age.remove(&entry.used);
        entry.used = self.clock;
        self.by_age.insert(self.clock, key.clone());
        Some(&mut entry.value)
    }

    /// Keeps a value, and forgets old ones until all fit; what is heavier than the whole bound is not kept.
    pub fn put(&mut self, key: K, value: V, weight: usize) {
        self.forget(&key);
        if weight > self.bound {
            return;
        }
        self.clock += 1;
        self.weight += weight;
        self.by_age.insert(self.clock, key.clone());
        self.entries.insert(key, Entry { value, weight, used: self.clock });
        while self.weight > self.bound {
            let Some((_, oldest)) = self.by_age.pop_first() else { return };
            if let Some(entry) = self.entries.remove(&oldest) {
                self.weight -= entry.weight;
            }
        }
    }

    fn forget(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.weight -= entry.weight;
            self.by_age.remove(&entry.used);
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Lru;

    #[test]
    fn what_was_used_longest_ago_goes_first_and_the_weight_stays_below_the_bound() {
        let mut lru = Lru::new(10);
        lru.put("a", 1, 4);
        lru.put("b", 2, 4);
        assert_eq!(lru.get(&"a"), Some(&mut 1));
        lru.put("c", 3, 4);
        assert_eq!((lru.get(&"a").copied(), lru.get(&"b").copied(), lru.get(&"c").copied()), (Some(1), None, Some(3)));
        lru.put("d", 4, 11);
        assert_eq!((lru.get(&"d").copied(), lru.len(), lru.weight), (None, 2, 8));
    }
}
