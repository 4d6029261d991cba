// Package bench puts load on a server as its users do, from the outside: agents that connect, runs that are started
// over REST, and browsers that watch. Each load answers with one value that prints as a JSON object.
package bench
