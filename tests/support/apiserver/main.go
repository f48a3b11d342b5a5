// The Kubernetes API server with etcd in one process: FOLDER [FLAG OF KUBE-APISERVER]...
// It ends with its standard input.
package main

import (
	"fmt"
	"io"
	"net/url"
	"os"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	here := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config := embed.NewConfig()
	config.Dir = os.Args[1]
	config.LogLevel = "error"
	config.UnsafeNoFsync = true
	config.ListenClientUrls, config.AdvertiseClientUrls = here, here
	config.ListenPeerUrls, config.AdvertisePeerUrls = here, here
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcd:", err)
		os.Exit(1)
	}
	<-etcd.Server.ReadyNotify()
	at := "--etcd-servers=http://" + etcd.Clients[0].Addr().String()
	os.Args = append([]string{"kube-apiserver", at}, os.Args[2:]...)
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}
