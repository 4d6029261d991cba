// Package settings fills a struct from layers, and knows of each value where it came from. From the weakest to the
// strongest: what the struct held before, a profile, a YAML file, environment variables, flags.
//
// A field is a setting when it has the tag key, such as `key:"server.listen"`. Its flag is the last part of the key,
// or what the tag flag says, and its variable is OCTOPUS_ and the flag in capitals. secret:"yes" keeps the value out
// of what is shown, secret:"url" only the password in it. A struct with the tags prefix and flags holds further
// settings. What a setting means is its field's comment, which ends "Defaults to …": the generator in this folder
// makes the method Help of it.
package settings
