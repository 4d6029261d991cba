package octopus

import "slices"

// SandboxLevel is how well an agent contains plugins. docs/plugins.md says what each level holds.
type SandboxLevel string

// The levels, as agents report them.
const (
	SandboxBasic    SandboxLevel = "basic"
	SandboxProcess  SandboxLevel = "process"
	SandboxFiltered SandboxLevel = "filtered"
	SandboxFull     SandboxLevel = "full"
)

// SandboxLevels are all levels, from the weakest to the strongest.
var SandboxLevels = []SandboxLevel{SandboxBasic, SandboxProcess, SandboxFiltered, SandboxFull}

// Reaches reports whether a level is the one that is asked for, or a stronger one. Every level reaches "", which asks
// for nothing; a level that is not known, or was never reported, reaches nothing else.
func (l SandboxLevel) Reaches(asked SandboxLevel) bool {
	at := slices.Index(SandboxLevels, asked)
	return asked == "" || at >= 0 && slices.Index(SandboxLevels, l) >= at
}

// CheckSandbox refuses a level that there is not. "" asks for none.
func CheckSandbox(level SandboxLevel) error {
	if level == "" || slices.Contains(SandboxLevels, level) {
		return nil
	}
	return InvalidField("/sandbox", "The sandbox is full, filtered, process or basic, or left out where any will do.")
}

// labelSandbox is the built-in label that an agent's level is.
const labelSandbox = "sandbox"

// within is the requirement that the sandbox reaches a level.
func within(level SandboxLevel) requirement {
	r := requirement{key: labelSandbox, op: opIn}
	for _, l := range SandboxLevels {
		if l.Reaches(level) {
			r.values = append(r.values, string(l))
		}
	}
	slices.Sort(r.values)
	return r
}

// Within is the selector of those agents of s whose sandbox reaches a level; "" is s.
func (s Selector) Within(level SandboxLevel) Selector {
	if level == "" {
		return s
	}
	list := append(slices.Clone(s.requirements), within(level))
	slices.SortFunc(list, requirement.compare)
	return Selector{requirements: slices.CompactFunc(list, func(a, b requirement) bool { return a.compare(b) == 0 })}
}

// Without is the selector that Within narrowed to a level.
func (s Selector) Without(level SandboxLevel) Selector {
	if level == "" {
		return s
	}
	asked := within(level)
	list := slices.DeleteFunc(slices.Clone(s.requirements), func(r requirement) bool { return r.compare(asked) == 0 })
	return Selector{requirements: list}
}
