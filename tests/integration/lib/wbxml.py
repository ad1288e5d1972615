# SPDX-License-Identifier: GPL-3.0-or-later
"""An independent WBXML reader and writer for ActiveSync (MS-ASWBXML).

It shares nothing with the gateway's own codec, so that the two can disagree.
Documents are lxml trees whose namespaces are the names of the code pages
("AirSync", "Email", ...), which are also the target namespaces of the schemas.

    element(("Ping:Ping", ("HeartbeatInterval", 600)))      -> lxml element
    encode(element_or_tuple)                                -> bytes
    decode(bytes)                                           -> lxml element

In the tuple form a name without a prefix stays in its parent's namespace,
text and integers become STR_I, bytes become OPAQUE.
"""

import base64

from lxml import etree

SWITCH_PAGE, END, STR_I, OPAQUE = 0x00, 0x01, 0x03, 0xC3
HAS_ATTRIBUTES, HAS_CONTENT, TOKEN = 0x80, 0x40, 0x3F
# version 1.3, public id "unknown", UTF-8, no string table: MS-ASWBXML 2.1.2
HEADER = bytes((0x03, 0x01, 0x6A, 0x00))
# deep enough for every schema, shallow enough to notice a runaway writer
MAX_DEPTH = 64

# MS-ASWBXML 2.1.2.1.1 to 2.1.2.1.26. A number sets the token of the name that
# follows it; every further name takes the next token.
_PAGES = (
    ("AirSync", """5 Sync Responses Add Change Delete Fetch SyncKey ClientId
        ServerId Status Collection Class 0x12 CollectionId GetChanges
        MoreAvailable WindowSize Commands Options FilterType Truncation
        0x1B Conflict Collections ApplicationData DeletesAsMoves
        0x20 Supported SoftDelete MIMESupport MIMETruncation Wait Limit Partial
        ConversationMode MaxItems HeartbeatInterval"""),
    ("Contacts", """5 Anniversary AssistantName AssistantPhoneNumber Birthday
        Body BodySize BodyTruncated
        Business2PhoneNumber BusinessAddressCity BusinessAddressCountry
        BusinessAddressPostalCode BusinessAddressState BusinessAddressStreet
        BusinessFaxNumber BusinessPhoneNumber CarPhoneNumber Categories
        Category Children Child CompanyName Department Email1Address
        Email2Address Email3Address FileAs FirstName Home2PhoneNumber
        HomeAddressCity HomeAddressCountry HomeAddressPostalCode
        HomeAddressState HomeAddressStreet HomeFaxNumber HomePhoneNumber
        JobTitle LastName MiddleName MobilePhoneNumber OfficeLocation
        OtherAddressCity OtherAddressCountry OtherAddressPostalCode
        OtherAddressState OtherAddressStreet PagerNumber RadioPhoneNumber
        Spouse Suffix Title WebPage YomiCompanyName YomiFirstName YomiLastName
        0x3C Picture Alias WeightedRank"""),
    ("Email", """5 Attachment Attachments AttName AttSize 0x0A AttMethod
        0x0C Body BodySize BodyTruncated DateReceived DisplayName DisplayTo
        Importance MessageClass Subject Read To Cc From ReplyTo AllDayEvent
        Categories Category DtStamp EndTime InstanceType BusyStatus Location
        MeetingRequest Organizer RecurrenceId Reminder ResponseRequested
        Recurrences Recurrence Type Until Occurrences Interval DayOfWeek
        DayOfMonth WeekOfMonth MonthOfYear StartTime Sensitivity TimeZone
        GlobalObjId ThreadTopic MIMEData MIMETruncated MIMESize InternetCPID
        Flag Status ContentClass FlagType CompleteTime
        DisallowNewTimeProposal"""),
    ("AirNotify", ""),          # 2.1.2.1.4: no longer in use
    ("Calendar", """5 Timezone AllDayEvent Attendees Attendee Email Name Body
        BodyTruncated BusyStatus Categories Category
        0x11 DtStamp EndTime Exception Exceptions Deleted ExceptionStartTime
        Location MeetingStatus OrganizerEmail OrganizerName Recurrence Type
        Until Occurrences Interval DayOfWeek DayOfMonth WeekOfMonth
        MonthOfYear Reminder Sensitivity Subject StartTime UID AttendeeStatus
        AttendeeType 0x33 DisallowNewTimeProposal ResponseRequested
        AppointmentReplyTime ResponseType CalendarType IsLeapMonth
        FirstDayOfWeek OnlineMeetingConfLink OnlineMeetingExternalLink
        ClientUid"""),
    ("Move", """5 MoveItems Move SrcMsgId SrcFldId DstFldId Response Status
        DstMsgId"""),
    ("GetItemEstimate", """5 GetItemEstimate 7 Collections Collection Class
        CollectionId 0x0C Estimate Response Status"""),
    ("FolderHierarchy", """5 Folders Folder DisplayName ServerId ParentId Type
        0x0C Status 0x0E Changes Add Delete Update SyncKey
        FolderCreate FolderDelete FolderUpdate FolderSync Count"""),
    ("MeetingResponse", """5 CalendarId CollectionId MeetingResponse RequestId
        Request Result Status UserResponse 0x0E InstanceId
        0x10 ProposedStartTime ProposedEndTime SendResponse"""),
    ("Tasks", """5 Body BodySize BodyTruncated Categories Category Complete
        DateCompleted DueDate UtcDueDate Importance Recurrence Type Start
        Until Occurrences Interval DayOfMonth DayOfWeek WeekOfMonth
        MonthOfYear Regenerate DeadOccur ReminderSet ReminderTime Sensitivity
        StartDate UtcStartDate Subject 0x22 OrdinalDate SubOrdinalDate
        CalendarType IsLeapMonth FirstDayOfWeek"""),
    ("ResolveRecipients", """5 ResolveRecipients Response Status Type Recipient
        DisplayName EmailAddress Certificates Certificate MiniCertificate
        Options To CertificateRetrieval RecipientCount MaxCertificates
        MaxAmbiguousRecipients CertificateCount Availability StartTime EndTime
        MergedFreeBusy Picture MaxSize Data MaxPictures"""),
    ("ValidateCert", """5 ValidateCert Certificates Certificate
        CertificateChain CheckCRL Status"""),
    ("Contacts2", """5 CustomerId GovernmentId IMAddress IMAddress2 IMAddress3
        ManagerName CompanyMainPhone AccountName NickName MMS"""),
    ("Ping", """5 Ping AutdState Status HeartbeatInterval Folders Folder Id
        Class MaxFolders"""),
    ("Provision", """5 Provision Policies Policy PolicyType PolicyKey Data
        Status RemoteWipe EASProvisionDoc DevicePasswordEnabled
        AlphanumericDevicePasswordRequired RequireStorageCardEncryption
        PasswordRecoveryEnabled 0x13 AttachmentsEnabled
        MinDevicePasswordLength MaxInactivityTimeDeviceLock
        MaxDevicePasswordFailedAttempts MaxAttachmentSize
        AllowSimpleDevicePassword DevicePasswordExpiration
        DevicePasswordHistory AllowStorageCard AllowCamera
        RequireDeviceEncryption AllowUnsignedApplications
        AllowUnsignedInstallationPackages MinDevicePasswordComplexCharacters
        AllowWiFi AllowTextMessaging AllowPOPIMAPEmail AllowBluetooth AllowIrDA
        RequireManualSyncWhenRoaming AllowDesktopSync MaxCalendarAgeFilter
        AllowHTMLEmail MaxEmailAgeFilter MaxEmailBodyTruncationSize
        MaxEmailHTMLBodyTruncationSize RequireSignedSMIMEMessages
        RequireEncryptedSMIMEMessages RequireSignedSMIMEAlgorithm
        RequireEncryptionSMIMEAlgorithm
        AllowSMIMEEncryptionAlgorithmNegotiation AllowSMIMESoftCerts
        AllowBrowser AllowConsumerEmail AllowRemoteDesktop
        AllowInternetSharing UnapprovedInROMApplicationList ApplicationName
        ApprovedApplicationList Hash AccountOnlyRemoteWipe"""),
    ("Search", """5 Search 7 Store Name Query Options Range Status Response
        Result Properties Total EqualTo Value And Or FreeText
        0x17 DeepTraversal LongId RebuildResults LessThan GreaterThan
        0x1E UserName Password ConversationId Picture MaxSize MaxPictures"""),
    ("GAL", """5 DisplayName Phone Office Title Company Alias FirstName
        LastName HomePhone MobilePhone EmailAddress Picture Status Data"""),
    ("AirSyncBase", """5 BodyPreference Type TruncationSize AllOrNone
        0x0A Body Data EstimatedDataSize Truncated Attachments Attachment
        DisplayName FileReference Method ContentId ContentLocation IsInline
        NativeBodyType ContentType Preview BodyPartPreference BodyPart Status
        Add Delete ClientId Content Location Annotation Street City State
        Country PostalCode Latitude Longitude Accuracy Altitude
        AltitudeAccuracy LocationUri InstanceId"""),
    ("Settings", """5 Settings Status Get Set Oof OofState StartTime EndTime
        OofMessage AppliesToInternal AppliesToExternalKnown
        AppliesToExternalUnknown Enabled ReplyMessage BodyType DevicePassword
        Password DeviceInformation Model IMEI FriendlyName OS OSLanguage
        PhoneNumber UserInformation EmailAddresses SMTPAddress UserAgent
        EnableOutboundSMS MobileOperator PrimarySmtpAddress Accounts Account
        AccountId AccountName UserDisplayName SendDisabled
        0x2B RightsManagementInformation"""),
    ("DocumentLibrary", """5 LinkId DisplayName IsFolder CreationDate
        LastModifiedDate IsHidden ContentLength ContentType"""),
    ("ItemOperations", """5 ItemOperations Fetch Store Options Range Total
        Properties Data Status Response Version Schema Part
        EmptyFolderContents DeleteSubFolders UserName Password Move DstFldId
        ConversationId MoveAlways"""),
    ("ComposeMail", """5 SendMail SmartForward SmartReply SaveInSentItems
        ReplaceMime 0x0B Source FolderId ItemId LongId InstanceId Mime
        ClientId Status AccountId 0x15 Forwardees Forwardee ForwardeeName
        ForwardeeEmail"""),
    ("Email2", """5 UmCallerID UmUserNotes UmAttDuration UmAttOrder
        ConversationId ConversationIndex LastVerbExecuted
        LastVerbExecutionTime ReceivedAsBcc Sender CalendarType IsLeapMonth
        AccountId FirstDayOfWeek MeetingMessageType 0x15 IsDraft Bcc Send"""),
    ("Notes", "5 Subject MessageClass LastModifiedDate Categories Category"),
    ("RightsManagement", """5 RightsManagementSupport RightsManagementTemplates
        RightsManagementTemplate RightsManagementLicense EditAllowed
        ReplyAllowed ReplyAllAllowed ForwardAllowed ModifyRecipientsAllowed
        ExtractAllowed PrintAllowed ExportAllowed ProgrammaticAccessAllowed
        Owner ContentExpiryDate TemplateID TemplateName TemplateDescription
        ContentOwner RemoveRightsManagementProtection"""),
    ("Find", """5 Find SearchId ExecuteSearch MailBoxSearchCriterion Query
        Status FreeText Options Range DeepTraversal 0x11 Response Result
        Properties Preview HasAttachments Total DisplayCc DisplayBcc
        GalSearchCriterion 0x20 MaxPictures MaxSize Picture"""),
)

# MS-ASDTYPE 2.7.1: byte arrays, always OPAQUE. In a tree they are base64 text.
BINARY = frozenset((
    "{Email2}ConversationId", "{Email2}ConversationIndex",
    "{ItemOperations}ConversationId", "{Search}ConversationId",
    "{AirSyncBase}Content", "{ComposeMail}Mime"))


class WbxmlError(ValueError):
    """The bytes are not the WBXML that ActiveSync allows."""


def _parse_pages(pages):
    by_token, by_name = {}, {}
    for number, (namespace, text) in enumerate(pages):
        token = 0
        for word in text.split():
            if word[0].isdigit():
                token = int(word, 0)
                continue
            assert 5 <= token <= 0x3F and (number, token) not in by_token
            name = "{%s}%s" % (namespace, word)
            assert name not in by_name
            by_token[number, token] = name
            by_name[name] = (number, token)
            token += 1
    return by_token, by_name


NAMES, TOKENS = _parse_pages(_PAGES)
NAMESPACES = tuple(namespace for namespace, _ in _PAGES)


def q(name, namespace=None):
    """'Email:Subject' or 'Subject' + namespace as lxml's '{Email}Subject'."""
    if name.startswith("{"):
        return name
    prefix, colon, local = name.rpartition(":")
    return "{%s}%s" % (prefix if colon else namespace, local)


def element(spec, parent=None):
    """Build an lxml element out of (name, content...) tuples."""
    if etree.iselement(spec):
        return spec
    namespace = etree.QName(parent).namespace if parent is not None else None
    tag = q(spec[0], namespace)
    node = etree.Element(tag, nsmap={None: etree.QName(tag).namespace})
    for content in spec[1:]:
        if isinstance(content, (tuple, list)) or etree.iselement(content):
            node.append(element(content, node))
        elif isinstance(content, bytes):
            node.text = base64.b64encode(content).decode()
            node.set("opaque", "1")
        elif content is not None:
            node.text = (node.text or "") + str(content)
    return node


def _mb_u_int32(number):
    out = [number & 0x7F]
    while number > 0x7F:
        number >>= 7
        out.append(0x80 | (number & 0x7F))
    return bytes(reversed(out))


def _write(node, page, out):
    if node.tag not in TOKENS:
        raise WbxmlError("no token for %s" % node.tag)
    number, token = TOKENS[node.tag]
    if number != page:
        out += bytes((SWITCH_PAGE, number))
    text = node.text if len(node) == 0 else None
    if text is None and len(node) == 0:
        out.append(token)
        return number
    out.append(token | HAS_CONTENT)
    page = number
    if text is not None and (node.get("opaque") or node.tag in BINARY):
        data = base64.b64decode(text)
        out += bytes((OPAQUE,)) + _mb_u_int32(len(data)) + data
    elif text is not None:
        out += bytes((STR_I,)) + text.encode() + b"\0"
    for child in node:
        page = _write(child, page, out)
    out.append(END)
    return page


def encode(spec):
    out = bytearray(HEADER)
    _write(element(spec), 0, out)
    return bytes(out)


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def byte(self):
        if self.at >= len(self.data):
            raise WbxmlError("ends in the middle")
        self.at += 1
        return self.data[self.at - 1]

    def mb_u_int32(self):
        number = 0
        for _ in range(5):
            byte = self.byte()
            number = number << 7 | byte & 0x7F
            if not byte & 0x80:
                return number
        raise WbxmlError("number longer than five octets")

    def string(self):
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise WbxmlError("string without an end")
        raw, self.at = self.data[self.at:end], end + 1
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise WbxmlError("string is not UTF-8: %s" % error) from None

    def opaque(self):
        length = self.mb_u_int32()
        if self.at + length > len(self.data):
            raise WbxmlError("opaque data longer than the document")
        raw, self.at = self.data[self.at:self.at + length], self.at + length
        return raw


def _start(page, token):
    if token & HAS_ATTRIBUTES:
        raise WbxmlError("token 0x%02x has attributes" % token)
    name = NAMES.get((page, token & TOKEN))
    if name is None:
        raise WbxmlError("no token 0x%02x on page %d" % (token & TOKEN, page))
    return etree.Element(name, nsmap={None: etree.QName(name).namespace})


def _add_text(node, text):
    if len(node):
        raise WbxmlError("text beside elements in %s" % node.tag)
    try:
        node.text = (node.text or "") + text
    except ValueError:
        raise WbxmlError("a character that XML forbids in %s"
                         % node.tag) from None


def _opaque_text(node, raw):
    if node.tag in BINARY:
        return base64.b64encode(raw).decode()
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise WbxmlError("binary data in %s" % node.tag) from None


def decode(data, opaque_r=None):
    """Bytes to an lxml element. opaque_r: a list that gets (tag, bytes)."""
    if data[:4] != HEADER:
        raise WbxmlError("header is %s" % data[:4].hex())
    reader = _Reader(bytes(data))
    reader.at = len(HEADER)
    page, stack, root = 0, [], None
    while root is None or stack:
        token = reader.byte()
        if token == SWITCH_PAGE:
            page = reader.byte()
            if page >= len(_PAGES):
                raise WbxmlError("no code page %d" % page)
        elif token == END:
            if not stack:
                raise WbxmlError("END without a start")
            stack.pop()
        elif token in (STR_I, OPAQUE):
            if not stack:
                raise WbxmlError("text outside of the root element")
            if token == STR_I:
                _add_text(stack[-1], reader.string())
            else:
                raw = reader.opaque()
                if opaque_r is not None:
                    opaque_r.append((stack[-1].tag, raw))
                _add_text(stack[-1], _opaque_text(stack[-1], raw))
        else:
            node = _start(page, token)
            if not stack:
                root = node
            elif stack[-1].text:
                raise WbxmlError("an element beside text in %s" % stack[-1].tag)
            else:
                stack[-1].append(node)
            if token & HAS_CONTENT:
                if len(stack) >= MAX_DEPTH:
                    raise WbxmlError("deeper than %d" % MAX_DEPTH)
                stack.append(node)
    if reader.at != len(reader.data):
        raise WbxmlError("%d octets after the end"
                         % (len(reader.data) - reader.at))
    return root


def pretty(node):
    return etree.tostring(node, pretty_print=True).decode()


def text(node, path, default=None):
    """Text at an 'A/B:C' path below node; names inherit the namespace."""
    found = find(node, path)
    return default if found is None else (found.text or "")


def find(node, path):
    found = find_all(node, path)
    return found[0] if found else None


def find_all(node, path):
    nodes, namespace = [node], etree.QName(node).namespace
    for step in path.split("/"):
        tag = q(step, namespace)
        namespace = etree.QName(tag).namespace
        nodes = [child for parent in nodes for child in parent.iterchildren(tag)]
    return nodes
