package wasmplugins

import "bytes"

// HeadSize is how much of a file CheckHead looks at, in bytes.
const HeadSize = 512

// CheckHead says of the first HeadSize bytes of a file, or of all of a shorter
// one, whether a module can begin so. Who reads a file from elsewhere need not
// read the rest of one that cannot. The error is *Refusal.
func CheckHead(head []byte) error { return checkHeader(head) }

// archives are files that hold others, by their first bytes, or by those at an
// offset.
var archives = []struct {
	magic string
	at    int
	kind  string
}{
	{"PK\x03\x04", 0, "a zip archive"},
	{"PK\x05\x06", 0, "an empty zip archive"},
	{"PK\x07\x08", 0, "a part of a zip archive"},
	{"\x1f\x8b", 0, "compressed with gzip"},
	{"BZh", 0, "compressed with bzip2"},
	{"\xfd7zXZ\x00", 0, "compressed with xz"},
	{"\x28\xb5\x2f\xfd", 0, "compressed with zstd"},
	{"7z\xbc\xaf\x27\x1c", 0, "a 7z archive"},
	{"Rar!\x1a\x07", 0, "a rar archive"},
	{"ustar", 257, "a tar archive"},
}

// archive says what kind of archive begins so, "" where it is none.
func archive(head []byte) string {
	for _, a := range archives {
		if len(head) > a.at && bytes.HasPrefix(head[a.at:], []byte(a.magic)) {
			return a.kind
		}
	}
	return ""
}
