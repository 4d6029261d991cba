package core

// remembered is how many tries that are over are known. A message that a transport sends again comes within fewer.
const remembered = 1024

// memory is the latest tries that are over: an offer of one of them was sent twice. The oldest is forgotten first.
type memory struct {
	keys map[Key]struct{}
	ring []Key
	next int // place of the oldest once the ring is full
}

func (m *memory) has(k Key) bool {
	_, ok := m.keys[k]
	return ok
}

func (m *memory) add(k Key) {
	if m.keys == nil {
		m.keys = make(map[Key]struct{})
	}
	if m.has(k) {
		return
	}
	m.keys[k] = struct{}{}
	if len(m.ring) < remembered {
		m.ring = append(m.ring, k)
		return
	}
	delete(m.keys, m.ring[m.next])
	m.ring[m.next] = k
	m.next = (m.next + 1) % remembered
}
