/* The side panel of JupyterLab, as a federated extension written by hand: JupyterLab asks a container for a
 * module, and this is one. The view itself is live.js, served by the relay of the Jupyter server. */
(() => {
  let shared;

  async function library(name) {
    const versions = shared[name];
    const newest = Object.keys(versions).sort((a, b) => a.localeCompare(b, "en", { numeric: true })).pop();
    return (await versions[newest].get())();
  }

  const MARK = '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16"><g class="jp-icon3" fill="none" ' +
    'stroke="#616161" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"><path d="M1.5 11.5 5 7l3 2.5 6-7"/><path d="M10.5 2.5H14V6"/><path d="M1.5 14.2h13"/></g></svg>';

  const plugin = {
    id: "workbench-live:panel",
    description: "Live view and STOP of the running desks, independent of any kernel.",
    autoStart: true,
    activate: async (app) => {
      const { Widget } = await library("@lumino/widgets");
      const { LabIcon } = await library("@jupyterlab/ui-components");
      const base = new URL(app.serviceManager.serverSettings.baseUrl, location.href).href;
      const { mountPanel } = await import(new URL("workbench/live.js", base).href);
      const panel = new Widget();
      panel.id = "workbench-live-panel";
      panel.title.caption = "Workbench: live view and STOP";
      panel.title.icon = new LabIcon({ name: "workbench-live:mark", svgstr: MARK });
      panel.node.setAttribute("role", "region");
      panel.node.setAttribute("aria-label", "Workbench live view");
      panel.node.style.cssText = "overflow: auto; background: var(--jp-layout-color1); min-width: 340px";
      mountPanel(panel.node, { base });
      app.shell.add(panel, "right", { rank: 90 });
      app.commands.addCommand("workbench-live:show", { label: "Show the workbench's live view", execute: () => app.shell.activateById(panel.id) });
      app.restored.then(() => { if (location.pathname.includes("/lab")) app.shell.activateById(panel.id); });
    },
  };

  (window._JUPYTERLAB ??= {})["workbench-live"] = {
    init: (scope) => { shared = scope; },
    get: async () => () => ({ __esModule: true, default: plugin }),
  };
})();
