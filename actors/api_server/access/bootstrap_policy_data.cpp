// The default roles and bindings of Kubernetes 1.36 as a compact text (the grammar is in bootstrap_policy.hpp), and
// troupe:node-proxier: a machine has one certificate, its node's, and its kube_proxy works under it. Kubelets may read
// Services by system:node; the slices behind them, and the nodes behind which other pods are, are what kube-proxy's own
// account, present on every node, may read.
// troupe:certificate-renewal: components that are alone in their processes renew their certificates as nodes do.
// troupe:cloud-controller-manager: upstream leaves the rights of system:cloud-controller-manager to each cloud; these
// are what the local provider's controllers need of those that
// https://kubernetes.io/docs/concepts/architecture/cloud-controller/ lists. The bindings named kubeadm:... are those
// that kubeadm makes for machines that join by token; troupe:authority lets them read the authority, which they check
// against the hash they were given.
#include "actors/api_server/access/bootstrap_policy.hpp"

namespace troupe::api {

namespace {

// User-facing and component roles.
constexpr std::string_view cluster_roles_text = R"policy(
clusterrole cluster-admin
  * * *
  * url *
clusterrole system:discovery
  get url /livez,/readyz,/healthz,/version,/version/,/openapi,/openapi/*,/api,/api/*,/apis,/apis/*
clusterrole system:monitoring
  get url /metrics,/metrics/slis,/livez,/readyz,/healthz,/livez/*,/readyz/*,/healthz/*
clusterrole system:basic-user
  create authorization.k8s.io selfsubjectaccessreviews,selfsubjectrulesreviews
  create authentication.k8s.io selfsubjectreviews
clusterrole system:public-info-viewer
  get url /livez,/readyz,/healthz,/version,/version/
clusterrole admin collect=admin
clusterrole edit collect=edit into=admin
clusterrole view collect=view into=edit
clusterrole system:aggregate-to-admin into=admin
  create authorization.k8s.io localsubjectaccessreviews
  ALL rbac.authorization.k8s.io roles,rolebindings
clusterrole system:aggregate-to-edit into=edit
  READ core pods/attach,pods/proxy,pods/exec,pods/portforward,secrets,services/proxy
  impersonate core serviceaccounts
  WRITE core pods,pods/attach,pods/proxy,pods/exec,pods/portforward
  create core pods/eviction
  WRITE core replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,services/proxy
  + persistentvolumeclaims,configmaps,secrets,events
  create core serviceaccounts/token
  WRITE apps statefulsets,statefulsets/scale,daemonsets,deployments,deployments/scale,deployments/rollback
  + replicasets,replicasets/scale
  WRITE autoscaling horizontalpodautoscalers
  WRITE batch jobs,cronjobs
  WRITE extensions daemonsets,deployments,deployments/scale,deployments/rollback,ingresses,replicasets
  + replicasets/scale,replicationcontrollers/scale,networkpolicies
  WRITE policy poddisruptionbudgets
  WRITE networking.k8s.io networkpolicies,ingresses
  ALL coordination.k8s.io leases
  WRITE resource.k8s.io resourceclaims,resourceclaimtemplates
clusterrole system:aggregate-to-view into=view
  READ core pods,replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,services/status
  + endpoints,persistentvolumeclaims,persistentvolumeclaims/status,configmaps
  READ core limitranges,resourcequotas,bindings,events,pods/status,resourcequotas/status,namespaces/status
  + replicationcontrollers/status,pods/log
  READ core namespaces
  READ discovery.k8s.io endpointslices
  READ apps controllerrevisions,statefulsets,statefulsets/status,statefulsets/scale,daemonsets,daemonsets/status
  + deployments,deployments/status,deployments/scale,replicasets,replicasets/status,replicasets/scale
  READ autoscaling horizontalpodautoscalers,horizontalpodautoscalers/status
  READ batch jobs,cronjobs,cronjobs/status,jobs/status
  READ extensions daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,ingresses
  + ingresses/status,replicasets,replicasets/scale,replicasets/status,replicationcontrollers/scale,networkpolicies
  READ policy poddisruptionbudgets,poddisruptionbudgets/status
  READ networking.k8s.io networkpolicies,ingresses,ingresses/status
  READ resource.k8s.io resourceclaims,resourceclaims/status,resourceclaimtemplates
clusterrole system:heapster
  READ core events,pods,nodes,namespaces
  READ extensions deployments
clusterrole system:node
  create authentication.k8s.io tokenreviews
  create authorization.k8s.io subjectaccessreviews,localsubjectaccessreviews
  READ core services
  create,READ core nodes
  update,patch core nodes/status
  update,patch core nodes
  create,update,patch core events
  READ core pods
  create,delete core pods
  update,patch core pods/status
  create core pods/eviction
  READ core secrets,configmaps
  get core persistentvolumeclaims,persistentvolumes
  get core endpoints
  create,READ certificates.k8s.io certificatesigningrequests
  get,create,update,patch,delete coordination.k8s.io leases
  get storage.k8s.io volumeattachments
  create core serviceaccounts/token
  get,update,patch core persistentvolumeclaims/status
  READ storage.k8s.io csidrivers
  get,create,update,patch,delete storage.k8s.io csinodes
  READ node.k8s.io runtimeclasses
  get resource.k8s.io resourceclaims
  deletecollection resource.k8s.io resourceslices
  get core serviceaccounts
clusterrole system:node-problem-detector
  get core nodes
  patch core nodes/status
  EVENTS
clusterrole system:node-bootstrapper
  create,READ certificates.k8s.io certificatesigningrequests
clusterrole system:auth-delegator
  create authentication.k8s.io tokenreviews
  create authorization.k8s.io subjectaccessreviews
clusterrole system:kube-aggregator
  READ core services,endpoints
clusterrole system:kube-controller-manager
  EVENTS
  create coordination.k8s.io leases
  get,update coordination.k8s.io leases names=kube-controller-manager
  create core secrets,serviceaccounts
  delete core secrets
  get core namespaces,secrets,serviceaccounts,configmaps
  update core secrets,serviceaccounts
  create authentication.k8s.io tokenreviews
  create authorization.k8s.io subjectaccessreviews
  list,watch * *
  create core serviceaccounts/token
clusterrole system:kube-dns
  list,watch core endpoints,services
clusterrole system:persistent-volume-provisioner
  READ,create,delete core persistentvolumes
  READ,update core persistentvolumeclaims
  READ storage.k8s.io storageclasses
  watch core events
  EVENTS
clusterrole system:certificates.k8s.io:certificatesigningrequests:nodeclient
  create certificates.k8s.io certificatesigningrequests/nodeclient
clusterrole system:certificates.k8s.io:certificatesigningrequests:selfnodeclient
  create certificates.k8s.io certificatesigningrequests/selfnodeclient
clusterrole system:volume-scheduler
  READ,update,patch core persistentvolumes
  READ storage.k8s.io storageclasses
  READ,update,patch core persistentvolumeclaims
clusterrole system:certificates.k8s.io:legacy-unknown-approver
  approve certificates.k8s.io signers names=kubernetes.io/legacy-unknown
clusterrole system:certificates.k8s.io:kubelet-serving-approver
  approve certificates.k8s.io signers names=kubernetes.io/kubelet-serving
clusterrole system:certificates.k8s.io:kube-apiserver-client-approver
  approve certificates.k8s.io signers names=kubernetes.io/kube-apiserver-client
clusterrole system:certificates.k8s.io:kube-apiserver-client-kubelet-approver
  approve certificates.k8s.io signers names=kubernetes.io/kube-apiserver-client-kubelet
clusterrole system:service-account-issuer-discovery
  get url /.well-known/openid-configuration,/.well-known/openid-configuration/,/openid/v1/jwks,/openid/v1/jwks/
clusterrole system:kubelet-api-admin
  READ core nodes
  proxy core nodes
  * core nodes/proxy,nodes/metrics,nodes/stats,nodes/log
  * core nodes/pods,nodes/healthz,nodes/configz
clusterrole system:node-proxier
  list,watch core services,endpoints
  READ core nodes
  EVENTS
  list,watch networking.k8s.io servicecidrs
  list,watch discovery.k8s.io endpointslices
clusterrole troupe:node-proxier
  list,watch discovery.k8s.io endpointslices
  list,watch core nodes
clusterrole troupe:certificate-renewal
  create,READ certificates.k8s.io certificatesigningrequests
  create certificates.k8s.io certificatesigningrequests/selfclient
clusterrole troupe:certificate-renewal-approver
  approve certificates.k8s.io signers names=kubernetes.io/kube-apiserver-client
clusterrole troupe:cloud-controller-manager
  EVENTS
  create coordination.k8s.io leases
  get,update coordination.k8s.io leases names=cloud-controller-manager
  READ,patch,delete core nodes
  patch core nodes/status
  READ core services
  patch core services/status
  list,watch discovery.k8s.io endpointslices
clusterrole system:kube-scheduler
  EVENTS
  create coordination.k8s.io leases
  READ,update coordination.k8s.io leases names=kube-scheduler
  ALL coordination.k8s.io leasecandidates
  READ core nodes
  READ,delete core pods
  create core pods/binding,bindings
  patch,update core pods/status
  READ core services,replicationcontrollers
  READ apps,extensions replicasets
  READ apps statefulsets
  READ policy poddisruptionbudgets
  READ core persistentvolumeclaims,persistentvolumes
  create authentication.k8s.io tokenreviews
  create authorization.k8s.io subjectaccessreviews
  READ storage.k8s.io csinodes
  READ storage.k8s.io volumeattachments
  READ core namespaces
  READ storage.k8s.io csidrivers
  READ storage.k8s.io csistoragecapacities
  READ resource.k8s.io deviceclasses
  READ,update,patch resource.k8s.io resourceclaims
  READ,update,patch resource.k8s.io resourceclaims/status
  READ,update,patch core pods/finalizers
  READ resource.k8s.io resourceslices
)policy";

// One role per controller, bound to the service account of the same name in kube-system.
constexpr std::string_view controller_roles_text = R"policy(
controller attachdetach-controller
  list,watch core persistentvolumes,persistentvolumeclaims
  READ core nodes
  patch,update core nodes/status
  list,watch core pods
  EVENTS
  READ,create,delete storage.k8s.io volumeattachments
  READ storage.k8s.io csidrivers
  READ storage.k8s.io csinodes
controller clusterrole-aggregation-controller
  escalate,READ,update,patch rbac.authorization.k8s.io clusterroles
controller cronjob-controller
  READ,update batch cronjobs
  READ,create,update,delete,patch batch jobs
  update batch cronjobs/status
  update batch cronjobs/finalizers
  list,watch,delete core pods
  EVENTS
controller daemon-set-controller
  READ extensions,apps daemonsets
  update extensions,apps daemonsets/status
  update extensions,apps daemonsets/finalizers
  list,watch core nodes
  list,watch,create,delete,patch core pods
  create core pods/binding
  READ,create,delete,update,patch apps controllerrevisions
  EVENTS
controller deployment-controller
  READ,update extensions,apps deployments
  update extensions,apps deployments/status
  update extensions,apps deployments/finalizers
  READ,create,update,patch,delete apps,extensions replicasets
  READ,update core pods
  EVENTS
controller disruption-controller
  READ extensions,apps deployments
  READ apps,extensions replicasets
  READ core replicationcontrollers
  READ policy poddisruptionbudgets
  READ apps statefulsets
  update policy poddisruptionbudgets/status
  patch,update core pods/status
  get * */scale
  EVENTS
controller endpoint-controller
  READ core services,pods
  READ,create,update,delete core endpoints
  create core endpoints/restricted
  EVENTS
controller endpointslice-controller
  READ core services,pods,nodes
  update core services/finalizers
  READ,create,update,delete discovery.k8s.io endpointslices
  EVENTS
controller endpointslicemirroring-controller
  READ core services,endpoints
  update core services/finalizers
  update core endpoints/finalizers
  READ,create,update,delete discovery.k8s.io endpointslices
  EVENTS
controller expand-controller
  READ,update,patch core persistentvolumes
  update,patch core persistentvolumeclaims/status
  READ core persistentvolumeclaims
  EVENTS
  get core services
controller ephemeral-volume-controller
  READ core pods
  update core pods/finalizers
  READ,create core persistentvolumeclaims
  EVENTS
controller resource-claim-controller
  READ core pods
  update core pods/finalizers
  READ,create,delete resource.k8s.io resourceclaims
  update,patch resource.k8s.io resourceclaims,resourceclaims/status
  update,patch core pods/status
  EVENTS
controller device-taint-eviction-controller
  READ,delete core pods
  update,patch core pods/status
  READ resource.k8s.io resourceclaims
  READ resource.k8s.io resourceslices
  READ resource.k8s.io deviceclasses
  READ resource.k8s.io devicetaintrules
  EVENTS
controller generic-garbage-collector
  READ,patch,update,delete * *
  EVENTS
controller horizontal-pod-autoscaler
  READ autoscaling horizontalpodautoscalers
  update autoscaling horizontalpodautoscalers/status
  get,update * */scale
  list,watch core pods
  list,watch metrics.k8s.io pods
  READ custom.metrics.k8s.io *
  READ external.metrics.k8s.io *
  EVENTS
controller job-controller
  READ,update,patch batch jobs
  update batch jobs/status
  update batch jobs/finalizers
  list,watch,create,delete,patch core pods
  EVENTS
controller namespace-controller
  READ,delete core namespaces
  update core namespaces/finalize,namespaces/status
  READ,delete,deletecollection * *
controller node-controller
  READ,update,delete,patch core nodes
  patch,update core nodes/status
  patch,update core pods/status
  READ,delete core pods
  EVENTS
controller persistent-volume-binder
  READ,update,create,delete core persistentvolumes
  update core persistentvolumes/status
  READ,update core persistentvolumeclaims
  update core persistentvolumeclaims/status
  READ,create,delete core pods
  READ storage.k8s.io storageclasses
  list,watch core nodes
  EVENTS
  watch core events
  get core services
controller pod-garbage-collector
  list,watch,delete core pods
  READ core nodes
  patch core pods/status
controller replicaset-controller
  READ,update apps,extensions replicasets
  update apps,extensions replicasets/status
  update apps,extensions replicasets/finalizers
  list,watch,patch,create,delete core pods
  EVENTS
controller replication-controller
  READ,update core replicationcontrollers
  update core replicationcontrollers/status
  update core replicationcontrollers/finalizers
  list,watch,patch,create,delete core pods
  EVENTS
controller resourcequota-controller
  list,watch * *
  update core resourcequotas/status
  EVENTS
controller route-controller
  list,watch core nodes
  patch core nodes/status
  EVENTS
controller service-account-controller
  create core serviceaccounts
  EVENTS
controller service-controller
  READ core services
  patch,update core services/status
  list,watch core nodes
  EVENTS
controller service-cidrs-controller
  READ,patch,update networking.k8s.io servicecidrs
  patch,update networking.k8s.io servicecidrs/finalizers
  patch,update networking.k8s.io servicecidrs/status
  READ networking.k8s.io ipaddresses
  EVENTS
controller statefulset-controller
  list,watch core pods
  READ apps statefulsets
  update apps statefulsets/status
  update apps statefulsets/finalizers
  get,create,delete,update,patch core pods
  READ,create,delete,update,patch apps controllerrevisions
  READ,create core persistentvolumeclaims
  update,delete core persistentvolumeclaims
  update core pods/finalizers
  EVENTS
controller ttl-controller
  update,patch,list,watch core nodes
  EVENTS
controller certificate-controller
  READ,delete certificates.k8s.io certificatesigningrequests
  update certificates.k8s.io certificatesigningrequests/status,certificatesigningrequests/approval
  approve certificates.k8s.io signers names=kubernetes.io/kube-apiserver-client-kubelet
  sign certificates.k8s.io signers names=kubernetes.io/legacy-unknown,kubernetes.io/kube-apiserver-client
  + kubernetes.io/kube-apiserver-client-kubelet,kubernetes.io/kubelet-serving
  create authorization.k8s.io subjectaccessreviews
  EVENTS
controller pvc-protection-controller
  READ,update core persistentvolumeclaims
  READ core pods
  EVENTS
controller pv-protection-controller
  READ,update core persistentvolumes
  EVENTS
controller volumeattributesclass-protection-controller
  READ core persistentvolumeclaims
  READ core persistentvolumes
  READ,update storage.k8s.io volumeattributesclasses
  EVENTS
controller ttl-after-finished-controller
  READ,delete batch jobs
  EVENTS
controller root-ca-cert-publisher
  create,update core configmaps
  EVENTS
controller validatingadmissionpolicy-status-controller
  READ admissionregistration.k8s.io validatingadmissionpolicies
  get,patch,update admissionregistration.k8s.io validatingadmissionpolicies/status
  EVENTS
controller legacy-service-account-token-cleaner
  get core configmaps names=kube-apiserver-legacy-service-account-token-tracking
  patch,delete core secrets
controller selinux-warning-controller
  EVENTS
  READ core persistentvolumes
  READ core persistentvolumeclaims
  READ core pods
  READ storage.k8s.io csidrivers
)policy";

// Who has them; and the roles inside kube-system and kube-public.
constexpr std::string_view bindings_text = R"policy(
clusterbinding cluster-admin groups=system:masters
clusterbinding system:monitoring groups=system:monitoring
clusterbinding system:discovery groups=system:authenticated
clusterbinding system:basic-user groups=system:authenticated
clusterbinding system:public-info-viewer groups=system:authenticated,system:unauthenticated
clusterbinding system:node-proxier users=system:kube-proxy
clusterbinding troupe:node-proxier groups=system:nodes
clusterbinding troupe:certificate-renewal
+ users=system:kube-scheduler,system:kube-controller-manager,system:cloud-controller-manager,system:kube-proxy
clusterbinding troupe:certificate-renewal-approver accounts=kube-system/certificate-controller
clusterbinding troupe:cloud-controller-manager users=system:cloud-controller-manager
clusterbinding kubeadm:kubelet-bootstrap role=system:node-bootstrapper groups=system:bootstrappers:kubeadm:default-node-token
clusterbinding kubeadm:node-autoapprove-bootstrap
+ role=system:certificates.k8s.io:certificatesigningrequests:nodeclient
+ groups=system:bootstrappers:kubeadm:default-node-token
clusterbinding kubeadm:node-autoapprove-certificate-rotation
+ role=system:certificates.k8s.io:certificatesigningrequests:selfnodeclient groups=system:nodes
clusterbinding system:kube-controller-manager users=system:kube-controller-manager
clusterbinding system:kube-dns accounts=kube-system/kube-dns
clusterbinding system:kube-scheduler users=system:kube-scheduler
clusterbinding system:volume-scheduler users=system:kube-scheduler
clusterbinding system:node
clusterbinding system:service-account-issuer-discovery groups=system:serviceaccounts
namespace kube-system
role extension-apiserver-authentication-reader
  READ core configmaps names=extension-apiserver-authentication
role system:controller:bootstrap-signer
  READ core secrets
role system:controller:cloud-provider
  create,READ core configmaps
role troupe:local-cloud
  READ core configmaps names=local-cloud
role system:controller:token-cleaner
  READ,delete core secrets
  EVENTS
role system::leader-locking-kube-controller-manager
  watch core configmaps
  get,update core configmaps names=kube-controller-manager
role system::leader-locking-kube-scheduler
  watch core configmaps
  get,update core configmaps names=kube-scheduler
binding system:extension-apiserver-authentication-reader role=extension-apiserver-authentication-reader
+ users=system:kube-controller-manager,system:kube-scheduler
binding system:controller:bootstrap-signer accounts=kube-system/bootstrap-signer
binding system:controller:cloud-provider accounts=kube-system/cloud-provider
binding troupe:local-cloud users=system:cloud-controller-manager
binding system:controller:token-cleaner accounts=kube-system/token-cleaner
binding system::leader-locking-kube-controller-manager users=system:kube-controller-manager
+ accounts=kube-system/kube-controller-manager
binding system::leader-locking-kube-scheduler users=system:kube-scheduler accounts=kube-system/kube-scheduler
namespace kube-public
role system:controller:bootstrap-signer
  READ core configmaps
  update core configmaps names=cluster-info
  EVENTS
role troupe:authority
  get core configmaps names=kube-root-ca.crt
binding system:controller:bootstrap-signer accounts=kube-system/bootstrap-signer
binding troupe:authority groups=system:unauthenticated,system:bootstrappers
)policy";

}  // namespace

std::span<const std::string_view> bootstrap_policy_texts() {
  static constexpr std::string_view texts[] = {cluster_roles_text, controller_roles_text, bindings_text};
  return texts;
}

}  // namespace troupe::api
