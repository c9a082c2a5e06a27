//! Lists whose entries people write, and so may be long: read in shorter pages where a page is too much, so that one long entry hides no other.

use super::{Answer, NetError};

/// Bytes of one list that are read: who writes more than this talks to nobody.
const MOST_BYTES: usize = 128 << 20;

/// Where a list is read next.
#[derive(Debug)]
pub struct Lengths {
    /// Entries a page, the longest first, each a multiple of the next.
    sizes: &'static [usize],
    size: usize,
    /// Entries before the next page.
    at: usize,
    most: usize,
    bytes: usize,
}

impl Lengths {
    /// A list of `most` entries at most, by pages of `sizes`.
    pub fn new(sizes: &'static [usize], most: usize) -> Self {
        Self { sizes, size: 0, at: 0, most, bytes: 0 }
    }

    /// The length of the next page and its number; `None`: more is not read.
    pub fn next(&self) -> Option<(usize, usize)> {
        let size = *self.sizes.get(self.size)?;
        (self.at < self.most && self.bytes <= MOST_BYTES).then(|| (size, self.at / size + 1))
    }

    /// Takes what came for that page; `None`: it was too much, and `next` says how to go on.
    pub fn take(&mut self, came: Result<Answer, NetError>) -> Result<Option<Answer>, NetError> {
        let size = self.sizes.get(self.size).copied().unwrap_or(1);
        match came {
            Ok(answer) => {
                self.bytes += answer.body.len();
                self.on(size);
                Ok(Some(answer))
            }
            Err(error) if error.long => {
                self.bytes += super::MOST_BODY;
                match self.size + 1 < self.sizes.len() {
                    true => self.size += 1,
                    // One entry is too long by itself.
                    false => self.on(size),
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Goes on by so many entries, with the longest page that begins there.
    fn on(&mut self, size: usize) {
        self.at += size;
        self.size = self.sizes.iter().position(|longer| self.at.is_multiple_of(*longer)).unwrap_or(self.size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::ForgeErrorKind;

    /// The pages that are asked for where some entries are too long, and those entries whose pages came.
    fn read(long: &[usize], entries: usize) -> (Vec<(usize, usize)>, Vec<usize>) {
        let (mut asked, mut came) = (Vec::new(), Vec::new());
        let mut lengths = Lengths::new(&[100, 10, 1], entries);
        while let Some((size, page)) = lengths.next() {
            asked.push((size, page));
            let these = (page - 1) * size..page * size;
            let too_long = these.clone().any(|entry| long.contains(&entry));
            let fault = NetError { long: true, ..NetError::new(ForgeErrorKind::Invalid, "long") };
            if lengths.take(if too_long { Err(fault) } else { Ok(Answer::default()) }).unwrap().is_some() {
                came.extend(these);
            }
        }
        (asked, came)
    }

    #[test]
    fn a_long_entry_is_passed_by_and_every_other_one_comes_once() {
        assert_eq!(read(&[], 300).0, [(100, 1), (100, 2), (100, 3)]);
        let (asked, came) = read(&[115], 300);
        assert_eq!(asked.len(), 1 + 1 + 10 + 10 + 1, "{asked:?}");
        let all: Vec<usize> = (0..300).filter(|entry| *entry != 115).collect();
        assert_eq!(came, all);
    }

    #[test]
    fn whoever_writes_long_entries_without_end_is_not_read_to_the_end() {
        let long: Vec<usize> = (0..5000).collect();
        let (asked, came) = read(&long, 5000);
        assert!(asked.len() < 20 && came.is_empty(), "{asked:?}");
    }

    #[test]
    fn what_is_no_matter_of_length_is_an_error() {
        let mut lengths = Lengths::new(&[100, 10, 1], 100);
        assert!(lengths.take(Err(NetError::new(ForgeErrorKind::Denied, "no"))).is_err());
    }
}
