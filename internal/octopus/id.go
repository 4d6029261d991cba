package octopus

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"sync"
	"time"
)

// Prefixes of the identifiers, one for each kind of thing.
const (
	PrefixTask      = "tsk_"
	PrefixRun       = "run_"
	PrefixExecution = "exe_"
	PrefixAgent     = "agt_"
	PrefixPlugin    = "plg_"
	PrefixUser      = "usr_"
	PrefixToken     = "tok_"
	PrefixSession   = "ses_"
	PrefixServer    = "srv_"
	PrefixEvent     = "evt_"

	PrefixSubmission  = "sub_"
	PrefixPluginEvent = "pev_"
	PrefixDraft       = "drf_"
)

// crockford is the ULID alphabet (https://github.com/ulid/spec) in lower case.
var crockford = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// monotonic remembers the last ULID, so that identifiers made in one millisecond still sort by creation.
var monotonic struct {
	sync.Mutex
	ms uint64
	hi uint16
	lo uint64
}

// NewID returns prefix followed by a lower-case ULID. Identifiers made by one process sort by creation.
func NewID(prefix string, now time.Time) string {
	return prefix + ulid(uint64(now.UnixMilli()))
}

func ulid(ms uint64) string {
	m := &monotonic
	m.Lock()
	if ms > m.ms {
		var random [10]byte
		rand.Read(random[:]) // never fails: crypto/rand aborts the program instead
		m.ms, m.hi, m.lo = ms, binary.BigEndian.Uint16(random[:2])&0x7fff, binary.BigEndian.Uint64(random[2:])
	} else {
		// The clock stood still or went back: count on from the last one.
		if m.lo++; m.lo == 0 {
			m.hi++
		}
	}
	var raw [17]byte // 128 bits, left-padded to 130 so that base32 yields the 26 characters of a ULID
	ms, hi, lo := m.ms, m.hi, m.lo
	m.Unlock()

	var id [16]byte
	binary.BigEndian.PutUint64(id[0:8], ms<<16|uint64(hi))
	binary.BigEndian.PutUint64(id[8:16], lo)
	shiftRight2(raw[:], id[:])
	return crockford.EncodeToString(raw[:])[:26]
}

// shiftRight2 writes src into dst, shifted right by two bits. dst is one byte longer than src.
func shiftRight2(dst, src []byte) {
	var carry byte
	for i, b := range src {
		dst[i] = carry | b>>2
		carry = b << 6
	}
	dst[len(src)] = carry
}

// ValidID reports whether id is prefix followed by a ULID.
func ValidID(prefix, id string) bool {
	rest, ok := strings.CutPrefix(id, prefix)
	if !ok || len(rest) != 26 {
		return false
	}
	for i := range len(rest) {
		if !strings.ContainsRune("0123456789abcdefghjkmnpqrstvwxyz", rune(rest[i])) {
			return false
		}
	}
	return true
}
