// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * EAS-4-TbSync, an ActiveSync client for Thunderbird, without Thunderbird: here is what it uses of that, and what TbSync
 * does with it. Standard input: {"folder": where its files lie, "host", "port", "ca",
 * "user", "password", "autodiscover": a URL};
 * standard output: what it has found, as JSON.
 */
"use strict";

const fs = require("fs"), https = require("https"), path = require("path"), vm = require("vm");
const {DOMParser} = require("/usr/share/nodejs/@xmldom/xmldom");

const given = JSON.parse(fs.readFileSync(0, "utf8"));
const RERUNS_MAX = 3; // TbSync gives up then, too
const DEFAULTS = {asversion: "", asversionselected: "auto", allowedEasVersions: "", allowedEasCommands: "",
	provision: false, policykey: "0", foldersynckey: "0", lastEasOptionsUpdate: 0, synclimit: "7", servertype: "custom",
	useragent: "Thunderbird ActiveSync", devicetype: "TbSync", deviceId: "MZTB0123456789abcdef0123456789", https: true,
	host: given.host + ":" + given.port, user: given.user, accountname: "test"};
const requests = [];

// What a browser has for requests; redirects are followed.
class XMLHttpRequest {
	open(method, url) { Object.assign(this, {method, responseURL: url, headers: {}, status: 0, responseText: ""}); }
	overrideMimeType() {}
	setRequestHeader(name, value) { this.headers[name] = String(value); }
	getResponseHeader(name) { return this.answer ? this.answer.headers[name.toLowerCase()] || null : null; }
	send(body) {
		const headers = Object.assign({}, this.headers);
		delete headers["Content-Length"]; // a browser counts for itself
		const data = Buffer.from(body || "");
		if (this.method != "OPTIONS")
			headers["Content-Length"] = data.length;
		const request = https.request(this.responseURL, {method: this.method, headers, ca: fs.readFileSync(given.ca)},
			answer => this.come(answer));
		request.on("error", error => { this.responseText = String(error); this.onerror(); });
		request.end(data);
	}
	come(answer) {
		const pieces = [];
		this.answer = answer;
		answer.on("data", piece => pieces.push(piece));
		answer.on("end", () => {
			this.status = answer.statusCode;
			this.responseText = Buffer.concat(pieces).toString("utf8");
			requests.push([this.method, new URL(this.responseURL).searchParams.get("Cmd"), this.status]);
			this.onload();
		});
	}
}

class Properties {
	constructor(values) { this.defaults = values; this.values = Object.assign({}, values); }
	get(name) { return this.values[name]; }
	set(name, value) { this.values[name] = value; }
	reset(name) { this.values[name] = this.defaults[name]; }
}

class FolderData extends Properties {
	constructor(account) { super({synckey: ""}); this.accountData = account; }
	getFolderProperty(name) { return this.get(name); }
	setFolderProperty(name, value) { this.set(name, value); }
	resetFolderProperty(name) { this.reset(name); }
	remove() { this.accountData.folders = this.accountData.folders.filter(folder => folder !== this); }
}

class AccountData extends Properties {
	constructor() { super(DEFAULTS); this.folders = []; this.accountID = "1"; }
	getAccountProperty(name) { return this.get(name); }
	setAccountProperty(name, value) { this.set(name, value); }
	resetAccountProperty(name) { this.reset(name); }
	isConnected() { return this.folders.length > 0; }
	getAllFoldersIncludingCache() { return this.folders.slice(); }
	getFolder(name, value) { return this.folders.find(folder => folder.get(name) == value) || null; }
	getFolderFromCache() { return null; }
	createNewFolder() {
		this.folders.push(new FolderData(this));
		return this.folders[this.folders.length - 1];
	}
}

const TbSync = {
	StatusData: class { constructor(type, message, details) { Object.assign(this, {type, message, details}); } },
	EventLogInfo: class {},
	eventlog: {add() {}},
	dump() {},
	getString: text => text,
	prefs: {getIntPref: () => 0},
	network: {createTCPErrorFromFailedXHR: request => request.responseText},
	passwordManager: {getLoginInfo: () => given.password},
	tools: {b64encode: text => Buffer.from(text).toString("base64"),
		sleep: ms => new Promise(done => setTimeout(done, ms))},
	providers: {},
};
for (const name of ["SUCCESS", "INFO", "ACCOUNT_RERUN", "FOLDER_RERUN", "WARNING", "ERROR"])
	TbSync.StatusData[name] = name.toLowerCase();

const eas = TbSync.providers.eas = {
	flags: {allowEmptyResponse: true},
	prefs: {getCharPref: () => DEFAULTS.useragent},
	Base: {getConnectionTimeout: () => 30000, onEnableAccount: account => account.resetAccountProperty("foldersynckey")},
	tools: {isString: text => typeof text == "string"},
};

Object.assign(globalThis, {
	eas,
	ChromeUtils: {import: () => ({TbSync, XPCOMUtils: {defineLazyModuleGetters() {}}})},
	Components: {utils: {Sandbox: () => ({XMLHttpRequest}), reportError: console.error}},
	Services: {io: {newURI: spec => ({spec, scheme: "https", hostPort: new URL(spec).host})},
		scriptSecurityManager: {createContentPrincipal() {}}, vc: {compare: () => 1}, appinfo: {OS: "Linux"}},
	DOMParser: class extends DOMParser {
		parseFromString(...given) {
			const document = super.parseFromString(...given);
			Object.getPrototypeOf(document.childNodes)[Symbol.iterator] ||= function* () {
				for (let i = 0; i < this.length; i++)
					yield this.item(i);
			};
			return document;
		}
	},
});
console.log = console.error;

for (const name of ["wbxmltools", "xmltools", "network", "sync"]) {
	const file = path.join(given.folder, "content/includes", name + ".js");
	vm.runInThisContext(fs.readFileSync(file, "utf8"), {filename: file});
	eas[name] = globalThis[name];
}

class SyncData {
	constructor(account) {
		Object.assign(this, {accountData: account, eventLogInfo: {}, states: []});
		this.progressData = {done: 0, todo: 0, reset: (done = 0, todo = 0) => Object.assign(this.progressData, {done, todo})};
	}
	setSyncState(state) { this.state = state; }
	getSyncState() { return {state: this.state}; }
}

// What TbSync does when it is told to begin again.
async function rerunning(step) {
	for (let run = 0; ; run++) {
		try {
			return await step();
		} catch (error) {
			if (!error.statusData || error.statusData.type != "account_rerun" || run == RERUNS_MAX)
				throw error;
		}
	}
}

async function main() {
	const account = new AccountData(), data = new SyncData(account), found = {};
	const {network, sync} = eas;

	await rerunning(() => sync.folderList(data));
	found.account = account.values;
	found.folders = account.folders.map(folder => folder.values);
	await network.getUserInfo(data);
	data.currentFolderData = account.getFolder("type", "4");
	data.type = "Email";
	await network.getSynckey(data);
	await network.getItemEstimate(data);
	found.estimate = data.progressData.todo;
	await rerunning(() => sync.folderList(data)); // nothing has changed
	found.gal = await network.getSearchResults(account, "nobody");
	found.discovered = await network.getServerConnectionViaAutodiscoverRequest("POST",
		{url: given.autodiscover, user: given.user, accountname: "test"}, given.password, 30000);
	found.requests = requests;
	process.stdout.write(JSON.stringify(found));
}

main().catch(error => {
	console.error(error.stack, requests);
	process.exit(1);
});
