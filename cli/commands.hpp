// What each file of cli/ adds to the command line.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace troupe::cli {

/// `troupe up`: a local cluster in the foreground.
void add_up(CLI::App& app, int& exit_code);
/// `troupe control-plane`: the same without nodes of its own, with a port for nodes of other machines.
void add_control_plane(CLI::App& app, int& exit_code);
/// `troupe node`: nodes only, in the foreground.
void add_node(CLI::App& app, int& exit_code);
/// `troupe component`: scheduler, controllers or kube_proxy only, in the foreground.
void add_component(CLI::App& app, int& exit_code);
/// `troupe token create|list|delete`.
void add_token(CLI::App& app, int& exit_code);
/// `troupe certs list|node|component`.
void add_certs(CLI::App& app, int& exit_code);
/// `troupe version`.
void add_version(CLI::App& app);
/// `troupe trace show|diagram|replay`.
void add_trace(CLI::App& app, int& exit_code);
/// Prints how the object ("pod/nginx") went through the components recorded at `path`; the process's exit code.
int draw_diagram(const std::string& path, const std::string& object);
/// `troupe image import|list`.
void add_image(CLI::App& app, int& exit_code);
/// `troupe debug actors|crash|stop|start`.
void add_debug(CLI::App& app, int& exit_code);
/// `troupe store snapshot|restore|verify|compact`.
void add_store(CLI::App& app, int& exit_code);

}  // namespace troupe::cli
