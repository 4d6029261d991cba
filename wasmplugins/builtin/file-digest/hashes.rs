//! SHA-256 (FIPS 180-4), SHA-1 (RFC 3174), MD5 (RFC 1321) and CRC-32 (ISO
//! 3309, as in gzip), a piece at a time.

/// One running digest.
pub struct Hash {
    kind: Kind,
    state: [u32; 8],
    block: [u8; 64],
    filled: usize,
    length: u64,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Sha256,
    Sha1,
    Md5,
    Crc32,
}

impl Kind {
    pub fn named(name: &str) -> Option<Kind> {
        Some(match name {
            "sha256" => Kind::Sha256,
            "sha1" => Kind::Sha1,
            "md5" => Kind::Md5,
            "crc32" => Kind::Crc32,
            _ => return None,
        })
    }
    /// Which digest has so many hexadecimal digits.
    pub fn of_length(digits: usize) -> Option<Kind> {
        Some(match digits {
            64 => Kind::Sha256,
            40 => Kind::Sha1,
            32 => Kind::Md5,
            8 => Kind::Crc32,
            _ => return None,
        })
    }
    pub fn name(self) -> &'static str {
        match self {
            Kind::Sha256 => "sha256",
            Kind::Sha1 => "sha1",
            Kind::Md5 => "md5",
            Kind::Crc32 => "crc32",
        }
    }
}

impl Hash {
    pub fn new(kind: Kind) -> Hash {
        let state = match kind {
            Kind::Sha256 => [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19],
            Kind::Sha1 => [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0, 0, 0, 0],
            Kind::Md5 => [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0, 0, 0, 0],
            Kind::Crc32 => [!0, 0, 0, 0, 0, 0, 0, 0],
        };
        Hash { kind, state, block: [0; 64], filled: 0, length: 0 }
    }

    pub fn add(&mut self, mut data: &[u8]) {
        self.length += data.len() as u64;
        if self.kind == Kind::Crc32 {
            self.state[0] = data.iter().fold(self.state[0], |crc, b| CRC[((crc ^ *b as u32) & 255) as usize] ^ crc >> 8);
            return;
        }
        if self.filled > 0 {
            let n = data.len().min(64 - self.filled);
            self.block[self.filled..self.filled + n].copy_from_slice(&data[..n]);
            self.filled += n;
            data = &data[n..];
            if self.filled < 64 {
                return;
            }
            let block = self.block;
            self.mix(&block);
            self.filled = 0;
        }
        let mut blocks = data.chunks_exact(64);
        for block in &mut blocks {
            self.mix(block);
        }
        let rest = blocks.remainder();
        self.block[..rest.len()].copy_from_slice(rest);
        self.filled = rest.len();
    }

    /// The digest as hexadecimal digits.
    pub fn end(mut self) -> String {
        let bits = self.length * 8;
        match self.kind {
            Kind::Crc32 => return format!("{:08x}", !self.state[0]),
            Kind::Md5 => self.pad(bits.to_le_bytes()),
            _ => self.pad(bits.to_be_bytes()),
        }
        let (words, swap) = match self.kind {
            Kind::Sha256 => (8, false),
            Kind::Sha1 => (5, false),
            _ => (4, true),
        };
        let word = |w: &u32| format!("{:08x}", if swap { w.swap_bytes() } else { *w });
        self.state[..words].iter().map(word).collect()
    }

    fn pad(&mut self, length: [u8; 8]) {
        let zeros = (119 - self.filled) % 64;
        let mut tail = [0u8; 72];
        tail[0] = 0x80;
        tail[1 + zeros..9 + zeros].copy_from_slice(&length);
        self.add(&tail[..9 + zeros]);
    }

    fn mix(&mut self, block: &[u8]) {
        match self.kind {
            Kind::Sha256 => sha256(&mut self.state, block),
            Kind::Sha1 => sha1(&mut self.state, block),
            _ => md5(&mut self.state, block),
        }
    }
}

fn big(block: &[u8], i: usize) -> u32 {
    u32::from_be_bytes([block[4 * i], block[4 * i + 1], block[4 * i + 2], block[4 * i + 3]])
}

fn sha256(state: &mut [u32; 8], block: &[u8]) {
    let mut w = [0u32; 64];
    for (i, word) in w.iter_mut().enumerate().take(16) {
        *word = big(block, i);
    }
    for i in 16..64 {
        let s0 = w[i - 15].rotate_right(7) ^ w[i - 15].rotate_right(18) ^ w[i - 15] >> 3;
        let s1 = w[i - 2].rotate_right(17) ^ w[i - 2].rotate_right(19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16].wrapping_add(s0).wrapping_add(w[i - 7]).wrapping_add(s1);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for i in 0..64 {
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let t1 = h.wrapping_add(s1).wrapping_add(e & f ^ !e & g).wrapping_add(K256[i]).wrapping_add(w[i]);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let t2 = s0.wrapping_add(a & b ^ a & c ^ b & c);
        h = g;
        g = f;
        f = e;
        e = d.wrapping_add(t1);
        d = c;
        c = b;
        b = a;
        a = t1.wrapping_add(t2);
    }
    for (word, v) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(v);
    }
}

fn sha1(state: &mut [u32; 8], block: &[u8]) {
    let mut w = [0u32; 80];
    for (i, word) in w.iter_mut().enumerate().take(16) {
        *word = big(block, i);
    }
    for i in 16..80 {
        w[i] = (w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16]).rotate_left(1);
    }
    let [mut a, mut b, mut c, mut d, mut e, ..] = *state;
    for (i, word) in w.iter().enumerate() {
        let (f, k) = match i / 20 {
            0 => (b & c | !b & d, 0x5a827999),
            1 => (b ^ c ^ d, 0x6ed9eba1),
            2 => (b & c | b & d | c & d, 0x8f1bbcdc),
            _ => (b ^ c ^ d, 0xca62c1d6u32),
        };
        let t = a.rotate_left(5).wrapping_add(f).wrapping_add(e).wrapping_add(k).wrapping_add(*word);
        e = d;
        d = c;
        c = b.rotate_left(30);
        b = a;
        a = t;
    }
    for (word, v) in state.iter_mut().zip([a, b, c, d, e]) {
        *word = word.wrapping_add(v);
    }
}

fn md5(state: &mut [u32; 8], block: &[u8]) {
    let [mut a, mut b, mut c, mut d, ..] = *state;
    for i in 0..64 {
        let (f, g) = match i / 16 {
            0 => (b & c | !b & d, i),
            1 => (d & b | !d & c, 5 * i + 1),
            2 => (b ^ c ^ d, 3 * i + 5),
            _ => (c ^ (b | !d), 7 * i),
        };
        let turn = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]][i / 16][i % 4];
        let sum = a.wrapping_add(f).wrapping_add(K_MD5[i]).wrapping_add(big(block, g % 16).swap_bytes());
        a = d;
        d = c;
        c = b;
        b = b.wrapping_add(sum.rotate_left(turn));
    }
    for (word, v) in state.iter_mut().zip([a, b, c, d]) {
        *word = word.wrapping_add(v);
    }
}

const CRC: [u32; 256] = crc_table();

const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xedb88320 ^ crc >> 1 } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
}

// The fractions of the cube roots of the first 64 primes.
const K256: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

// The sines of 1 to 64.
const K_MD5: [u32; 64] = [
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
];
