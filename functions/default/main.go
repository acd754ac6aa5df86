// Command default is the Lambda function behind the route $default: it answers
// pings, and frames that name no route.
package main

import "github.com/streamroom/streamroom/functions"

func main() { functions.Start(functions.Default) }
