package settings

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Helper is implemented by structs of settings; the generator writes it.
type Helper interface {
	// Help returns the comment of each setting, by the name of its field.
	Help() map[string]string
}

// Set is the settings of one struct. It is used by one goroutine.
type Set struct {
	list  []*Setting // in the order of the struct
	byKey map[string]*Setting
	// Also are keys that belong to other processes: a file that has them is right, and they are left alone.
	Also []string
}

// Setting is one value of a struct. It is what package pflag calls a Value.
type Setting struct {
	Key     string // section.name, as in the file
	Flag    string // without the dashes
	Help    string // what it means, without its default
	Default string // the default in words

	secret string
	field  reflect.Value
	given  []string // by the flag
	origin Origin
}

// New finds the settings of a struct, which into points to and which holds the defaults.
func New(into Helper) *Set {
	s := &Set{byKey: map[string]*Setting{}}
	s.collect(reflect.ValueOf(into).Elem(), "", "")
	return s
}

func (s *Set) collect(v reflect.Value, keys, flags string) {
	help := map[string]string{}
	if h, ok := v.Interface().(Helper); ok {
		help = h.Help()
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if prefix, ok := f.Tag.Lookup("prefix"); ok {
			s.collect(v.Field(i), prefix, f.Tag.Get("flags"))
			continue
		}
		key, ok := f.Tag.Lookup("key")
		if !ok {
			continue
		}
		flag, ok := f.Tag.Lookup("flag")
		if !ok {
			flag = strings.ReplaceAll(key[strings.LastIndex(key, ".")+1:], "_", "-")
		}
		text, standard, _ := strings.Cut(help[f.Name], " Defaults to ")
		x := &Setting{
			Key: keys + key, Flag: flags + flag, Help: text, Default: strings.TrimSuffix(standard, "."),
			secret: f.Tag.Get("secret"), field: v.Field(i), origin: Origin{Layer: "default"},
		}
		s.list, s.byKey[x.Key] = append(s.list, x), x
	}
}

// All lists the settings, by key.
func (s *Set) All() []*Setting {
	return slices.SortedFunc(slices.Values(s.list), func(a, b *Setting) int { return strings.Compare(a.Key, b.Key) })
}

// Keys lists the keys.
func (s *Set) Keys() []string { return slices.Sorted(maps.Keys(s.byKey)) }

// Lookup finds a setting. A key that is not there is a mistake in the program.
func (s *Set) Lookup(key string) *Setting {
	x := s.byKey[key]
	if x == nil {
		panic(fmt.Sprintf("there is no setting %q", key))
	}
	return x
}

// Variable is the environment variable of a flag.
func Variable(flag string) string {
	return "OCTOPUS_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Variable is the setting's environment variable.
func (x *Setting) Variable() string { return Variable(x.Flag) }

// Origin is where the value came from.
func (x *Setting) Origin() Origin { return x.origin }

// Set keeps a word that the flag was given until [Set.Resolve]. The error says what is wrong with it.
func (x *Setting) Set(word string) error {
	probe := reflect.New(x.field.Type()).Elem()
	given := append(x.given, word)
	if err := assign(probe, split(probe, given)); err != nil {
		return err
	}
	x.given = given
	return nil
}

// String is the value as one may write it in a flag. Before [Set.Resolve] it is the default. Secrets are shown.
func (x *Setting) String() string {
	if x == nil || !x.field.IsValid() { // pflag asks an empty value for its default
		return ""
	}
	return format(x.field)
}

// Shown is the value for people, with secrets masked; "" where the default is no fixed value.
func (x *Setting) Shown() string {
	if x.field.IsZero() && x.origin.Layer == "default" && x.field.Kind() != reflect.Bool {
		return ""
	}
	return mask(x.secret, x.String())
}

// Type is the word that a flag's help shows for its value.
func (x *Setting) Type() string { return kindOf(x.field) }

// Origin says where a value came from.
type Origin struct {
	Layer  string // default, profile, file, environment or flag
	Detail string // which one: prod, octopus.yaml:12, OCTOPUS_LISTEN, --listen
}

func (o Origin) String() string { return strings.TrimSpace(o.Layer + " " + o.Detail) }
