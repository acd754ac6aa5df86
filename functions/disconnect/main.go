// Command disconnect is the Lambda function behind the route $disconnect: it
// removes the connection.
package main

import "github.com/streamroom/streamroom/functions"

func main() { functions.Start(functions.Disconnect) }
