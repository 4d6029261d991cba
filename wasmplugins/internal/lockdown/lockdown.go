// Package lockdown takes from the present process whatever a guest must not
// have: the network, files, new programs, executable memory, other users'
// rights. What a system cannot do is reported, not fatal: the agent's owner
// decides what level is enough.
package lockdown

// Config says what is to stay.
type Config struct {
	// CPU is processor time in seconds, Data private memory in bytes.
	CPU, Data uint64
	// UID and GID to become when the process is root; 0 stays.
	UID, GID int
	// Parent is the process without which this one must not live.
	Parent int
	// Network is the parent's network namespace; empty is not known.
	Network string
	// Folder stays readable until Seal, and writable with WriteFolder.
	// Empty is no folder.
	Folder      string
	WriteFolder bool
	// Off leaves everything out but the parent's death.
	Off bool
}

// The words of a report.
const (
	HasProcess   = "a process of its own"
	HasParent    = "ends with its parent"
	HasLimits    = "limits on memory and processor time"
	HasFilter    = "system call filter (seccomp)"
	HasFiles     = "no files (Landlock)"
	HasUser      = "a user of its own"
	HasPrivilege = "no new privileges"
	HasNetwork   = "an empty network of its own"
	HasJob       = "a job object that ends with the agent"
)

// Box locks the process it is in, in two steps.
type Box struct {
	c       Config
	has     []string
	missing []string
}

// New begins with nothing locked.
func New(c Config) *Box { return &Box{c: c, has: []string{HasProcess}} }

// Report says, in words for people, what holds and what does not.
func (b *Box) Report() (has, missing []string) { return b.has, b.missing }

// note records how one measure went.
func (b *Box) note(what string, err error) {
	if err == nil {
		b.has = append(b.has, what)
		return
	}
	b.missing = append(b.missing, what+": "+err.Error())
}
