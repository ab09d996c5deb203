//! Graphs of "was received before" over one round: dense, as rows of bits.
//!
//! # Theory of operation
//! Vertices are numbers `0..len`, in ascending order of message. A weight is the number of lists
//! with one vertex before another; a vertex missing from a list counts as after all of its
//! vertices, since a list is a prefix of its replica's order. [`Graph`] is a set of edges as a bit
//! matrix: strongly connected components by Tarjan's algorithm (*SIAM J. Comput.* 1, 1972) without
//! recursion, a Hamiltonian path of a tournament by binary insertion (Rédei 1934). The weights cost
//! O(len² · lists), all else O(len²).

/// Position of a message that a list does not contain: after all others.
pub const ABSENT: u32 = u32::MAX;

/// Number of lists with `a` before `b`, and with `b` before `a`. Each list gives the position of
/// every vertex, or [`ABSENT`].
pub fn weigh(lists: &[Vec<u32>], a: usize, b: usize) -> (u32, u32) {
    let count = |before: fn(&u32, &u32) -> bool| {
        lists.iter().filter(|places| before(&places[a], &places[b])).count() as u32
    };
    (count(u32::lt), count(u32::gt))
}

/// The direction of the edge between two vertices with weights `there` and `back`: `Some(true)` if
/// `there` is the heavier and at least `least`, `Some(false)` if `back` is, `None` if neither
/// reaches it. Equal weights count as `there`: pass the smaller vertex first.
pub fn heavier(there: u32, back: u32, least: u32) -> Option<bool> {
    (there.max(back) >= least).then_some(there >= back)
}

/// A set of edges over few vertices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    len: usize,
    words: usize,
    rows: Vec<u64>,
}

impl Graph {
    /// No edges over `len` vertices.
    pub fn new(len: usize) -> Graph {
        let words = len.div_ceil(64);
        Graph { len, words, rows: vec![0; len * words] }
    }

    /// The graph with the heavier edge between any two of `len` vertices, where its weight reaches
    /// `least`; at equal weights the edge from the smaller vertex.
    pub fn of(len: usize, lists: &[Vec<u32>], least: u32) -> Graph {
        let mut graph = Graph::new(len);
        let held: Vec<Bits> = (0..len).map(|v| Bits::of_lists(lists, v)).collect();
        let mut there = vec![0u32; len];
        for a in 0..len {
            there[a + 1..].fill(0);
            for places in lists {
                // All vertices after this one at once, which vectorises.
                let own = places[a];
                for (count, &place) in there[a + 1..].iter_mut().zip(&places[a + 1..len]) {
                    *count += u32::from(own < place);
                }
            }
            for b in a + 1..len {
                // Every list that contains either vertex counts for one direction.
                let back = held[a].either(&held[b]) - there[b];
                match heavier(there[b], back, least) {
                    Some(true) => graph.add(a, b),
                    Some(false) => graph.add(b, a),
                    None => {}
                }
            }
        }
        graph
    }

    /// The pairs without an edge, the smaller vertex first.
    pub fn missing(&self) -> Vec<(usize, usize)> {
        let edges: u64 = self.rows.iter().map(|word| u64::from(word.count_ones())).sum();
        let len = self.len as u64;
        if edges == len * len.saturating_sub(1) / 2 {
            return Vec::new();
        }
        let lacks = |&(a, b): &(usize, usize)| !self.has(a, b) && !self.has(b, a);
        (0..self.len).flat_map(|a| (a + 1..self.len).map(move |b| (a, b))).filter(lacks).collect()
    }

    /// Number of vertices.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no vertices.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds the edge from `a` to `b`.
    #[inline]
    pub fn add(&mut self, a: usize, b: usize) {
        self.rows[a * self.words + b / 64] |= 1 << (b % 64);
    }

    /// Whether there is an edge from `a` to `b`.
    #[inline]
    pub fn has(&self, a: usize, b: usize) -> bool {
        self.rows[a * self.words + b / 64] >> (b % 64) & 1 == 1
    }

    fn row(&self, a: usize) -> &[u64] {
        &self.rows[a * self.words..(a + 1) * self.words]
    }

    /// The edges among `kept` (ascending), which become vertices 0, 1, …
    pub fn among(&self, kept: &[usize]) -> Graph {
        if kept.len() == self.len {
            return self.clone();
        }
        let mut found = Graph::new(kept.len());
        for (i, &a) in kept.iter().enumerate() {
            for (j, &b) in kept.iter().enumerate() {
                if self.has(a, b) {
                    found.add(i, j);
                }
            }
        }
        found
    }

    /// The graph with all edges reversed.
    pub fn reversed(&self) -> Graph {
        let mut found = Graph::new(self.len);
        for a in 0..self.len {
            (0..self.len).filter(|&b| self.has(a, b)).for_each(|b| found.add(b, a));
        }
        found
    }

    /// For each vertex, whether it is one of `from` or can be reached from one.
    pub fn reached(&self, from: impl IntoIterator<Item = usize>) -> Vec<bool> {
        let mut left = Bits::all(self.len);
        let mut next: Vec<usize> = from.into_iter().filter(|&v| left.take(v)).collect();
        while let Some(vertex) = next.pop() {
            while let Some(other) = left.first_in(self.row(vertex)) {
                left.take(other);
                next.push(other);
            }
        }
        (0..self.len).map(|v| !left.has(v)).collect()
    }

    /// Strongly connected components, each ascending, in topological order.
    pub fn components(&self) -> Vec<Vec<usize>> {
        let mut search = Search {
            left: Bits::all(self.len),
            waiting: Bits::none(self.len),
            stack: Vec::new(),
            number: vec![0; self.len],
            low: vec![0; self.len],
            found: Vec::new(),
        };
        for root in 0..self.len {
            if search.left.has(root) {
                search.from(self, root);
            }
        }
        search.found.reverse();
        search.found
    }

    /// An order of `vertices` in which each has an edge to the next. There must be an edge between
    /// any two of them; which path is found depends on the order in which they are given.
    pub fn path(&self, vertices: &[usize]) -> Vec<usize> {
        let mut path: Vec<usize> = Vec::with_capacity(vertices.len());
        for &vertex in vertices {
            // Invariant: the vertex before `low` precedes `vertex`, the one at `high` follows it.
            let (mut low, mut high) = (0, path.len());
            while low < high {
                let middle = usize::midpoint(low, high);
                if self.has(path[middle], vertex) {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            path.insert(low, vertex);
        }
        path
    }
}

/// Tarjan's state. Numbers are given in the order of the first visit.
struct Search {
    left: Bits,
    waiting: Bits,
    stack: Vec<usize>,
    number: Vec<usize>,
    low: Vec<usize>,
    found: Vec<Vec<usize>>,
}

impl Search {
    fn enter(&mut self, vertex: usize, number: &mut usize) {
        self.left.take(vertex);
        self.waiting.put(vertex);
        self.stack.push(vertex);
        (self.number[vertex], self.low[vertex]) = (*number, *number);
        *number += 1;
    }

    fn from(&mut self, graph: &Graph, root: usize) {
        // Numbers need only be unique on the stack, which is empty between roots.
        let mut number = 0;
        let mut way = vec![root];
        self.enter(root, &mut number);
        while let Some(&vertex) = way.last() {
            if let Some(next) = self.left.first_in(graph.row(vertex)) {
                self.enter(next, &mut number);
                way.push(next);
                continue;
            }
            way.pop();
            let mut low = self.low[vertex];
            self.waiting.each_in(graph.row(vertex), |other| low = low.min(self.number[other]));
            self.low[vertex] = low;
            if let Some(&above) = way.last() {
                self.low[above] = self.low[above].min(low);
            }
            if low == self.number[vertex] {
                self.leave(vertex);
            }
        }
    }

    fn leave(&mut self, root: usize) {
        let mut component = Vec::new();
        while let Some(vertex) = self.stack.pop() {
            self.waiting.take(vertex);
            component.push(vertex);
            if vertex == root {
                break;
            }
        }
        component.sort_unstable();
        self.found.push(component);
    }
}

struct Bits(Vec<u64>);

impl Bits {
    fn none(len: usize) -> Bits {
        Bits(vec![0; len.div_ceil(64)])
    }

    fn all(len: usize) -> Bits {
        let mut bits = Bits::none(len);
        (0..len).for_each(|v| bits.put(v));
        bits
    }

    /// The lists that contain `v`.
    fn of_lists(lists: &[Vec<u32>], v: usize) -> Bits {
        let mut bits = Bits::none(lists.len());
        (0..lists.len()).filter(|&list| lists[list][v] != ABSENT).for_each(|list| bits.put(list));
        bits
    }

    /// Number of members of the union.
    fn either(&self, other: &Bits) -> u32 {
        self.0.iter().zip(&other.0).map(|(a, b)| (a | b).count_ones()).sum()
    }

    fn put(&mut self, v: usize) {
        self.0[v / 64] |= 1 << (v % 64);
    }

    fn has(&self, v: usize) -> bool {
        self.0[v / 64] >> (v % 64) & 1 == 1
    }

    /// Removes `v`; returns whether it was a member.
    fn take(&mut self, v: usize) -> bool {
        let had = self.has(v);
        self.0[v / 64] &= !(1 << (v % 64));
        had
    }

    fn first_in(&self, row: &[u64]) -> Option<usize> {
        let both = |(own, other): (&u64, &u64)| own & other;
        let word = self.0.iter().zip(row).map(both).enumerate().find(|&(_, bits)| bits != 0);
        word.map(|(index, bits)| index * 64 + bits.trailing_zeros() as usize)
    }

    fn each_in(&self, row: &[u64], mut see: impl FnMut(usize)) {
        for (index, (own, other)) in self.0.iter().zip(row).enumerate() {
            let mut bits = own & other;
            while bits != 0 {
                see(index * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }
}
