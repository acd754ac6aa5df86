// Command api is the Lambda function behind the HTTP API: rooms, members,
// history and /sync.
package main

import "github.com/streamroom/streamroom/functions"

func main() { functions.Start(functions.API) }
